import SinterCore

/// A function of the C runtime that a call form names.
///
/// Each computes one result from whole operands; the result's sizes are known when it is called. Texts are numbers of the program's table,
/// to which a function adds those that it makes. `t`, `a` and `b` below are operands; elements stand in row-major order. The runtime's
/// functions stand in `SinterRuntime/runtime`, one file per concern.
public enum RuntimeFunction: String, CaseIterable, Hashable, Sendable {
  /// result[i] = a[i] followed by b[i]. Texts.
  case join
  /// result[i] (i64) = how many pieces `pieces` has of t[i]. Parameters: as there.
  case count_pieces
  /// result[i, j] = piece j of t[i], the empty text where there are fewer. Parameters: the number of the delimiter (that of the empty text: runs
  /// of white space, those at both ends dropped), the most cuts (-1: any number).
  case pieces
  /// result[i] = t[i] with small letters (parameter 0) or capitals (1), by Unicode's full mappings without a language or a context.
  case change_case
  /// result[i] (i64) = how many different texts of t are less than t[i], byte by byte.
  case ranks
  /// result[i] = a[i], a number in 64 bits, as text: floats with up to eight digits, as `%.8g` of C has them, and NaN, INF, -INF.
  /// Parameters: the `NumberText`.
  case print
  /// result[i] = the number that t[i] begins with, behind white space, in 64 bits; a float beyond the greatest is infinite. Parameters: the
  /// `NumberText`, the error of a text that begins with no such number, which gets the place i.
  case parse
  /// result[i] (i64) = 1 where an automaton accepts the bytes of t[i], else 0. Operands: t; the class of each byte (u8[256]); the next
  /// state for each state and class (i32), state 0 being the first; for each state whether what was read matches, before the end of the text,
  /// before a letter, digit or underscore of ASCII, before a line feed, and before any other byte (u8[states, 4]).
  case match
  /// result[i] (i64) = how many tokens `tokens` has of t[i]. Parameters: as there, but for the last one.
  case count_tokens
  /// result[i, j] = token j of t[i]: the longest match at the first place that has one, and so on behind it; or what lies between such matches.
  /// Operands: as those of `match`. Parameters: the first state at the begin of a text, behind a letter, digit or underscore, behind a line feed,
  /// and behind any other byte; the state from which nothing is accepted (-1: there is none); 1 where tokens lie between matches, else 0; how many code points a
  /// token has at least, and at least one; the number of the text behind the last token.
  case tokens
  /// result (i64[2]) = height and width of the image in a file, whose bytes are a (u8). Parameters: the first of the program's errors for
  /// images, of which there is one for each `ImageProblem`, in that order.
  case image_size
  /// result (u8[height, width, channels]) = the pixels of that image, rows from the top. Parameters: the first error, as there; the `PixelLayout`.
  case image_pixels

  /// What keeps a file from being an image.
  package enum ImageProblem: Int, CaseIterable, Sendable {
    case unknown, damaged, unsupported, tooLarge, noMemory
  }

  /// The channels of a pixel.
  package enum PixelLayout: Int64, Sendable {
    case rgb, bgr, gray
  }

  /// How numbers are spelled and kept: in i64, u64, f64.
  package enum NumberText: Int64, Sendable {
    case signed, unsigned, float
  }

  /// Whether it decodes image files, which takes libraries besides the runtime.
  package var isOfImages: Bool { self == .image_size || self == .image_pixels }

  /// The number of operands.
  package var operandCount: Int {
    switch self {
    case .join: 2
    case .match, .count_tokens, .tokens: 4
    case .count_pieces, .pieces, .change_case, .ranks, .print, .parse, .image_size, .image_pixels: 1
    }
  }

  /// The number of parameters.
  package var parameterCount: Int {
    switch self {
    case .count_pieces, .pieces, .parse, .image_pixels: 2
    case .change_case, .print, .image_size: 1
    case .count_tokens: 7
    case .tokens: 8
    case .join, .ranks, .match: 0
    }
  }

  /// The parameter that numbers an error of the program.
  package var errorParameter: Int? { self == .parse ? 1 : isOfImages ? 0 : nil }

  /// In the C runtime.
  package var symbol: String { isOfImages ? "sinter_\(rawValue)" : "sinter_text_\(rawValue)" }
}
