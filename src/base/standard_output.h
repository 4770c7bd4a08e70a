#pragma once

namespace easgd {

/// Writes out what has been printed. A reader that has gone is no failure.
/// Throws: DataError where it cannot be written, now or before.
void finish_output();

}  // namespace easgd
