/// Hears how far long work is: so many of its parts are done, of so many that there are. Is called from any thread, by one at a time.
package typealias ProgressListener = @Sendable (_ done: Int, _ total: Int) -> Void
