#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace easgd {

/// The longest beginning of a text in UTF-8 that takes no more than so many columns of a terminal.
/// Characters of East Asia and pictures take two, combining ones none; what is no UTF-8 and control
/// characters become question marks.
std::string cut_to_columns(std::string_view text, std::size_t columns);

}  // namespace easgd
