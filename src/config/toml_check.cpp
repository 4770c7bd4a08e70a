#include "config/toml_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace easgd::config {
namespace {

[[noreturn]] void refuse(std::string_view text, std::size_t at, const std::string& origin,
                         const char* why) {
  const auto line = 1 + std::count(text.begin(), text.begin() + std::ptrdiff_t(at), '\n');
  throw ConfigError(fmt::format("{}:{}: not valid TOML: {}", origin, line, why));
}

/// Dots are counted without a look at what is a name: those in quotes may become one.
void check_dots(std::string_view text, const std::string& origin) {
  constexpr std::size_t kMost = 200;
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::string_view("\n=,[]{}").find(text[i]) != std::string_view::npos) dots = 0;
    if (text[i] == '.' && ++dots > kMost) {
      refuse(text, i, origin, "a name of more than 200 parts; expected one of a few");
    }
  }
}

/// Walks through a text as the library does, up to the first error that it would find.
class Walk {
 public:
  Walk(std::string_view text, const std::string& origin) : text_(text), origin_(origin) {}

  void to_the_end() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (at_ < text_.size()) step();
  }

 private:
  void step() {
    const char c = text_[at_];
    const bool is_mark = c == '#' || c == '"' || c == '\'';
    if (is_mark) {
      at_ = end_of(at_);
    } else if (is_value_ && !is_one_of(c, kEnds) && !is_one_of(c, "[{\r")) {
      // The library looks for the end of a number or a word before it asks what is in it.
      while (at_ < text_.size() && !is_one_of(text_[at_], kEnds)) take();
    } else {
      nest(c);
      take();
    }
  }

  /// Where a comment or a string ends that begins at `begin`. Of one that TOML does not allow any
  /// place will do: the library goes no further.
  std::size_t end_of(std::size_t begin) const {
    const char mark = text_[begin];
    if (mark == '#') return std::min(text_.find('\n', begin), text_.size());
    const std::string three(3, mark);
    const bool is_long = text_.substr(begin, 3) == three;
    for (std::size_t i = begin + (is_long ? 3 : 1); i < text_.size(); ++i) {
      if (mark == '"' && text_[i] == '\\') {
        i = is_long ? end_of_escape(i) : i + 1;
      } else if (!is_long && (text_[i] == mark || text_[i] == '\n')) {
        return i + 1;
      } else if (is_long && text_.substr(i, 3) == three) {
        return std::min(text_.find_first_not_of(mark, i), i + 5);  // two may belong to the string
      }
    }
    return text_.size();
  }

  /// The last letter of what a backslash begins: at the end of a line all blanks that follow.
  std::size_t end_of_escape(std::size_t begin) const {
    const std::size_t next = text_.find_first_not_of(" \t\r\n", begin + 1);
    if (next != text_.npos && is_beyond_ascii(next)) {
      refuse(text_, next, origin_, "a letter beyond ASCII is the first behind a backslash");
    }
    return next == begin + 1 ? next : next - 1;
  }

  bool is_beyond_ascii(std::size_t at) const {
    return static_cast<unsigned char>(text_[at]) > 0x7f;
  }

  /// Whether a value comes next: behind an equals sign, and in a list.
  void nest(char c) {
    if (is_value_ && (c == '[' || c == '{')) inside_ += c;
    if (!inside_.empty() && (c == ']' || c == '}')) inside_.pop_back();
    const bool in_list = inside_.ends_with('[');
    if (is_one_of(c, "[],{}") || (c == '\n' && inside_.empty())) is_value_ = in_list;
    if (c == '=') is_value_ = true;
  }

  void take() {
    if (is_beyond_ascii(at_)) {
      refuse(text_, at_, origin_, "a letter beyond ASCII outside of quotes");
    }
    ++at_;
  }

  static bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

  static constexpr std::string_view kEnds = " \t\n,]}#";  // of a value

  std::string_view text_;
  const std::string& origin_;
  std::size_t at_ = 0;
  bool is_value_ = false;
  std::string inside_;  // the brackets around
};

}  // namespace

void check_text(std::string_view text, const std::string& origin) {
  check_dots(text, origin);
  Walk(text, origin).to_the_end();
}

}  // namespace easgd::config
