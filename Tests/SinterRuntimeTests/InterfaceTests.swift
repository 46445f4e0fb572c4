import SinterCore
import Testing

struct InterfaceTests {
  static let reference = Folders.package + "/../shared/abi/sinter.h"

  /// Hosts are compiled against the published interface, so this copy must be it.
  @Test(.enabled(if: Files.exists(reference), "the published interface is not beside this package"))
  func headerIsThePublishedOne() throws {
    let ours = Folders.package + "/Sources/SinterABI/include/sinter.h"
    let compared = try Subprocess.run("cmp", [ours, Self.reference])
    #expect(compared.succeeded, "\(compared.output)")
  }
}
