import Glibc

#if ServeHTTP
  await ServeCommand.start()
#else
  Console.error(
    "this build serves nothing; build it with: swift build -c release --traits ServeHTTP --product sinter-serve")
  exit(2)
#endif
