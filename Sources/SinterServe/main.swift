import Glibc

#if ServeHTTP
  await ServeCommand.start()
#else
  let sentence =
    "this build serves nothing; build it with: swift build -c release --traits ServeHTTP --product sinter-serve"
  if CommandLine.arguments.dropFirst().contains(where: { ["-h", "--help", "-help"].contains($0) }) {
    print(
      "sinter-serve serves compiled libraries over HTTP and gRPC, but \(sentence). Then its --help lists the options.")
    exit(0)
  }
  Console.error(sentence)
  exit(2)
#endif
