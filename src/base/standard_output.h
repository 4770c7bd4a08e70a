// What the program prints as its result, as against what it says on the way (standard error).
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace easgd {

/// Prints to standard output. finish_output() reports what could not be written.
void write_output(const std::string& text);

template <class... Values>
void output(fmt::format_string<Values...> format, Values&&... values) {
  write_output(fmt::format(format, std::forward<Values>(values)...));
}

/// Somebody may read it: it was not closed when the program was started.
bool has_output();

/// Writes out what has been printed. A reader that has gone is no failure.
/// Throws: DataError if it cannot be written, now or before.
void finish_output();

}  // namespace easgd
