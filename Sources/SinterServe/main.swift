#if ServeHTTP
  await ServeCommand.main()
#else
  import Glibc

  fputs(
    "sinter-serve: this build serves nothing; build it with: swift build -c release --traits Serve --product sinter-serve\n",
    stderr)
  exit(2)
#endif
