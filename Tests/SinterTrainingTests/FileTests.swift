import Foundation
import Sinter
import SinterTables
import SinterVision
import Testing

/// NumPy's, CIFAR's and IDX files, and tables.
@Suite struct FileTests {
  static func expected() throws -> ParameterStore { try ParameterStore(reading: fixture("data/expected.safetensors")) }

  @Test(arguments: ["packed", "stored"]) func archivesAreRead(_ name: String) throws {
    let expected = try Self.expected()
    let arrays = try NpyFile.readArchive(fixture("data/\(name).npz"))
    #expect(arrays["a"]?.hasSameContents(as: try #require(expected["a"])) == true)
    #expect(arrays["b"]?.hasSameContents(as: try #require(expected["b"])) == true)
    #expect(arrays["empty"]?.shape == [0, 3])
    #expect(arrays["one"]?.doubles == [2.5])
    #expect(arrays["zeros"]?.doubles == (name == "packed" ? [Double](repeating: 0, count: 5000) : nil))
  }

  @Test func otherOrdersAreRead() throws {
    let a = try #require(try Self.expected()["a"])
    #expect(try NpyFile.read(fixture("data/fortran.npy")).hasSameContents(as: a))
    #expect(try NpyFile.read(fixture("data/big.npy")).hasSameContents(as: a))
    #expect(try NpyFile.read(fixture("data/fortran_text.npy")).strings == ["a", "b", "c", "d", "e", "f"])
    let complex = try NpyFile.read(fixture("data/big_complex.npy"))
    #expect(complex.element == .c64 && complex.shape == [2])
    let parts: [Float] = complex.bytes.withBytes { raw in
      (0..<4).map { raw.load(fromByteOffset: 4 * $0, as: Float.self) }
    }
    #expect(parts == [1, 2, 3, -4])
  }

  /// Whatever byte of an archive is wrong or missing, there is an error or the right arrays, and no trap.
  @Test(arguments: ["packed.npz", "stored.npz", "fortran.npy"]) func damagedArraysGiveErrors(_ name: String) throws {
    let whole = try Data(contentsOf: URL(filePath: fixture("data/\(name)")))
    try withScratchFolder { folder in
      let path = "\(folder)/\(name)"
      func read(_ data: Data) throws {
        try data.write(to: URL(filePath: path))
        do {
          if name.hasSuffix("npz") { _ = try NpyFile.readArchive(path) } else { _ = try NpyFile.read(path) }
        } catch let error as DiagnosticError {
          #expect(error.description.contains(path))
        }
      }
      for length in stride(from: 0, to: whole.count, by: 7) {
        try read(whole.prefix(length))
        if length < whole.count - 1 { #expect(throws: DiagnosticError.self) { try NpyFile.readArchive(path) } }
      }
      for place in stride(from: 0, to: whole.count, by: 3) {
        for change in [0x01, 0x80, 0xff] as [UInt8] {
          var data = whole
          data[place] ^= change
          try read(data)
        }
      }
    }
  }

  /// A stored entry is as right as its sum says.
  @Test func aStoredEntryIsHeldAgainstItsSum() throws {
    var data = try Data(contentsOf: URL(filePath: fixture("data/stored.npz")))
    // Its first array's first element.
    let place = try #require(data.range(of: Data("\n".utf8))).upperBound
    data[place] ^= 1
    try withScratchFolder { folder in
      try data.write(to: URL(filePath: "\(folder)/x.npz"))
      #expect(message { try NpyFile.readArchive("\(folder)/x.npz") }.contains("is damaged: its sum is"))
    }
  }

  @Test(arguments: ["(2, x)", "(2.0,)", "2", "[2]", "(2"]) func shapesThatCannotBeReadAreRefused(_ shape: String) throws
  {
    try withScratchFolder { folder in
      let header = "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }\n"
      let bytes = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      try Data(bytes + [UInt8](repeating: 0, count: 8)).write(to: URL(filePath: "\(folder)/x.npy"))
      #expect(message { try NpyFile.read("\(folder)/x.npy") }.contains("shape"))
    }
  }

  @Test func anEntryThatLiesAboutItsSizeIsRefused() throws {
    var data = try Data(contentsOf: URL(filePath: fixture("data/packed.npz")))
    // The size in the directory's first entry: a thousandfold of what deflate can make.
    let place = try #require(data.range(of: Data([0x50, 0x4b, 1, 2]))).lowerBound + 24
    data.replaceSubrange(place..<(place + 4), with: [0xff, 0xff, 0xff, 0x7f])
    try withScratchFolder { folder in
      try data.write(to: URL(filePath: "\(folder)/x.npz"))
      #expect(message { try NpyFile.readArchive("\(folder)/x.npz") }.contains("cannot have 2147483647 bytes"))
    }
  }

  @Test func packedIdxFilesAreRead() throws {
    let file: [UInt8] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3] + [1, 2, 3, 4, 5, 6]
    try withScratchFolder { folder in
      try Data(file).write(to: URL(filePath: "\(folder)/x"))
      let gzip = Process()
      gzip.executableURL = URL(filePath: "/bin/gzip")
      gzip.arguments = ["-k", "\(folder)/x"]
      try gzip.run()
      gzip.waitUntilExit()
      #expect(try IdxFile.read("\(folder)/x.gz").array(of: UInt8.self) == [1, 2, 3, 4, 5, 6])
      var packed = try Data(contentsOf: URL(filePath: "\(folder)/x.gz"))
      try packed.prefix(packed.count - 9).write(to: URL(filePath: "\(folder)/cut.gz"))
      #expect(message { try IdxFile.read("\(folder)/cut.gz") }.contains("cut.gz is cut off"))
      packed[packed.count - 6] ^= 1
      try packed.write(to: URL(filePath: "\(folder)/bad.gz"))
      #expect(message { try IdxFile.read("\(folder)/bad.gz") }.contains("bad.gz is damaged"))
    }
  }

  static func cifar(_ labels: [[UInt8]], missing: Int = 0) -> Data {
    var bytes: [UInt8] = []
    for (index, label) in labels.enumerated() {
      bytes += label + (0..<3072).map { UInt8(truncatingIfNeeded: $0 / 1024 * 100 + index) }
    }
    return Data(bytes.dropLast(missing))
  }

  @Test func cifarIsRead() throws {
    try withScratchFolder { folder in
      for number in 1...5 {
        try Self.cifar([[UInt8(number)], [9]]).write(to: URL(filePath: "\(folder)/data_batch_\(number).bin"))
      }
      let training = try CifarFile.read(folder: folder, train: true)
      #expect(training.images.shape == [10, 3, 32, 32])
      #expect(training.labels.integers == [1, 9, 2, 9, 3, 9, 4, 9, 5, 9])
      #expect(training.coarseLabels == nil)
      let pixels = training.images.array(of: UInt8.self)
      #expect([0, 1024, 2048, 3072, 3072 + 2048].map { pixels[$0] } == [0, 100, 200, 1, 201])
      try Self.cifar([[19, 99], [0, 50]]).write(to: URL(filePath: "\(folder)/train.bin"))
      let hundred = try CifarFile.read(folder: folder, .cifar100, train: true)
      #expect(hundred.labels.integers == [99, 50])
      #expect(hundred.coarseLabels?.integers == [19, 0])
      // What is wrong.
      let path = "\(folder)/x.bin"
      #expect(message { try CifarFile.read(path) }.contains("\(path) cannot be opened"))
      try Self.cifar([[1], [10]]).write(to: URL(filePath: path))
      #expect(message { try CifarFile.read(path) }.contains("the label of image 1 is 10, but must be below 10"))
      try Self.cifar([[1], [2]], missing: 1).write(to: URL(filePath: path))
      #expect(message { try CifarFile.read(path) }.contains("6145 bytes, 3072 more than 1 records of 3073"))
      try Self.cifar([[20, 1]]).write(to: URL(filePath: path))
      #expect(message { try CifarFile.read(path, .cifar100) }.contains("the coarse label of image 0 is 20"))
      try Data().write(to: URL(filePath: path))
      #expect(try CifarFile.read(path).images.shape == [0, 3, 32, 32])
    }
  }

  @Test func tablesAreRead() throws {
    let table = try Table("a,b,\"c, d\"\n1, 2.5,x\n\n-3e2,nan,\"y \"\"z\"\"\"\n")
    #expect(table.columns == ["a", "b", "c, d"])
    let numbers = try table.numbers(["a", "b"])
    #expect(numbers.shape == [2, 2])
    #expect(numbers.array(of: Float.self)[..<3] == [1, 2.5, -300])
    #expect(try table.texts("c, d") == ["x", "y \"z\""])
    let classes = try Table("k\nred\nblue\nred", name: "t").classes("k")
    #expect(classes.names == ["blue", "red"])
    #expect(classes.labels.integers == [1, 0, 1])
    let bare = try Table("1;2\n3;4", delimiter: ";", hasHeader: false)
    #expect(bare.columns == ["0", "1"])
    #expect(try bare.numbers(as: .i64).integers == [1, 2, 3, 4])
    #expect(try Table("a,b").numbers().shape == [0, 2])
    #expect(try Table("\u{feff}a,b\r\n1,\r\n").texts("b") == [""])
  }

  @Test func wrongTablesAreRefused() throws {
    #expect(message { try Table("") }.contains("the table is empty"))
    // Integers are not cut to size: whole numbers of the type's range alone are some.
    #expect(try Table("k\n-3\n4.0").numbers(as: .i64).integers == [-3, 4])
    for (text, type) in [
      ("1.5", ElementType.i64), ("nan", .i64), ("inf", .i32), ("300", .u8), ("-1", .u8), ("128", .i8),
      ("9007199254740993", .i64),
    ] {
      let told = message { try Table("k\n0\n\(text)", name: "t").numbers(as: type) }
      #expect(told.contains("row 2 of column \"k\" must be an integer of type \(type), but is \"\(text)\""), "\(told)")
    }
    #expect(
      message { try Table("a,b\n1,2\n3\n4,5,6", name: "t.csv") }.contains(
        "t.csv: row 2 has 1 fields, but the first has 2"))
    #expect(message { try Table("a,a\n1,2") }.contains("two columns \"a\""))
    #expect(message { try Table("a\n\"x") }.contains("a quotation is not closed"))
    let table = try Table("a,b\n1,x\n,2", name: "t.csv")
    let all = message { try table.numbers() }
    #expect(
      all.contains("row 1 of column \"b\" must be a number, but is \"x\"")
        && all.contains("row 2 of column \"a\" must be a number, but is empty"))
    #expect(message { try table.texts("c") }.contains("has no column \"c\"; it has a, b"))
    try withScratchFolder { folder in
      #expect(message { try Table(reading: "\(folder)/none.csv") }.contains("none.csv cannot be opened"))
      try Data([0xff, 0xfe, 0x41]).write(to: URL(filePath: "\(folder)/x.csv"))
      #expect(message { try Table(reading: "\(folder)/x.csv") }.contains("x.csv is no UTF-8 text"))
    }
  }
}
