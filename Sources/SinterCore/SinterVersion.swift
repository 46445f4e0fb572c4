/// The version, which libraries and packages name.
public enum SinterVersion {
  /// The version of this compiler, as `sinter --version` and every compiled library name it.
  public static let current = "0.1.0"
}
