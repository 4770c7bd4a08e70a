#include "sweep/constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>
#include <variant>

#include "base/error.h"

namespace easgd {
namespace {

using Keys = Constraint::Keys;
/// Nothing: of a key that the run does not have, and of what is computed from it.
using Result = std::variant<std::monostate, double, std::string>;
using Term = std::function<Result(const Keys&)>;
using Condition = std::function<bool(const Keys&)>;

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A key's value; a text without its quotes.
Result value_of(const std::string& toml) {
  if (const auto number = number_of(toml)) return *number;
  const bool quoted = toml.size() > 1 && toml.front() == '"';
  return quoted ? toml.substr(1, toml.size() - 2) : toml;
}

/// Reading one takes stack for each of its brackets, and time for each pair of its terms.
const std::string& of_a_length_that_fits(const std::string& text, const std::string& location) {
  constexpr std::size_t kLongest = 500;
  if (text.size() > kLongest) {
    throw ConfigError(fmt::format("{}: require: expected a condition of up to {} bytes; found {}",
                                  location, kLongest, text.size()));
  }
  return text;
}

/// Reads a condition from left to right.
class Parser {
 public:
  Parser(const std::string& text, std::string location, const KnownKey& is_known)
      : text_(text), rest_(text_), location_(std::move(location)), is_known_(is_known) {}

  Condition whole() {
    Condition condition = disjunction();
    if (!rest().empty()) fail("the end");
    return condition;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw ConfigError(fmt::format(
        "{}: require: expected {} at {:?}, in {:?}; as in \"algorithm.tau * algorithm.rho <= 10\"",
        location_, expected, std::string(rest_.substr(0, 20)), text_));
  }

  std::string_view rest() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0]))) {
      rest_.remove_prefix(1);
    }
    return rest_;
  }

  bool take(std::string_view mark) {
    if (!rest().starts_with(mark)) return false;
    const bool is_word = std::isalpha(static_cast<unsigned char>(mark[0]));
    if (is_word && rest_.size() > mark.size() && in_key(rest_[mark.size()])) return false;
    rest_.remove_prefix(mark.size());
    return true;
  }

  static bool in_key(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  }

  Condition disjunction() {
    Condition left = conjunction();
    while (take("or")) {
      left = [left, right = conjunction()](const Keys& k) { return left(k) || right(k); };
    }
    return left;
  }

  Condition conjunction() {
    Condition left = comparison();
    while (take("and")) {
      left = [left, right = comparison()](const Keys& k) { return left(k) && right(k); };
    }
    return left;
  }

  Condition comparison() {
    if (std::optional<Condition> inner = condition_in_brackets()) return std::move(*inner);
    Term left = sum();
    for (const char* mark : {"<=", ">=", "==", "!=", "<", ">"}) {
      if (take(mark)) return compared(std::move(left), mark, sum());
    }
    fail("<, <=, >, >=, == or !=");
  }

  /// "(a < b or c < d)"; a bracket may also begin a sum.
  std::optional<Condition> condition_in_brackets() {
    const std::string_view before = rest();
    if (!take("(")) return std::nullopt;
    try {
      Condition inner = disjunction();
      if (take(")")) return inner;
    } catch (const ConfigError&) {
    }
    rest_ = before;
    return std::nullopt;
  }

  Condition compared(Term left, const std::string& mark, Term right) const {
    return [left, mark, right, location = location_, text = text_](const Keys& keys) {
      const Result a = left(keys), b = right(keys);
      if (a.index() == 0 || b.index() == 0) return true;
      if (a.index() != b.index()) {
        throw ConfigError(
            fmt::format("{}: require: compares a number with a text: {:?}", location, text));
      }
      if (mark == "==") return a == b;
      if (mark == "!=") return a != b;
      if (mark == "<") return a < b;
      if (mark == "<=") return a <= b;
      return mark == ">" ? a > b : a >= b;
    };
  }

  Term sum() { return chain("+-", &Parser::product); }
  Term product() { return chain("*/", &Parser::atom); }

  /// Parts with any of `marks` between them, from left to right.
  Term chain(std::string_view marks, Term (Parser::*part)()) {
    Term left = (this->*part)();
    while (!rest().empty() && marks.find(rest_[0]) != marks.npos) {
      const char mark = rest_[0];
      rest_.remove_prefix(1);
      left = computed(std::move(left), mark, (this->*part)());
    }
    return left;
  }

  Term computed(Term left, char mark, Term right) const {
    return [left, mark, right, location = location_, text = text_](const Keys& keys) -> Result {
      const Result a = left(keys), b = right(keys);
      if (a.index() == 0 || b.index() == 0) return {};
      const double *x = std::get_if<double>(&a), *y = std::get_if<double>(&b);
      if (!x || !y) {
        throw ConfigError(fmt::format("{}: require: computes with a text: {:?}", location, text));
      }
      switch (mark) {
        case '+':
          return *x + *y;
        case '-':
          return *x - *y;
        case '*':
          return *x * *y;
        default:
          return *x / *y;
      }
    };
  }

  Term atom() {
    if (take("-")) {
      return computed([](const Keys&) { return Result(0.0); }, '-', atom());
    }
    if (take("(")) {
      Term inner = sum();
      if (!take(")")) fail(")");
      return inner;
    }
    if (!rest().empty() && (rest_[0] == '\'' || rest_[0] == '"')) return quoted();
    double number = 0;
    const char* begin = rest_.data();
    const auto [end, error] = std::from_chars(begin, begin + rest_.size(), number);
    if (error == std::errc()) {
      rest_.remove_prefix(std::size_t(end - begin));
      return [number](const Keys&) { return Result(number); };
    }
    return key();
  }

  Term key() {
    const std::string word(rest_.begin(), std::ranges::find_if_not(rest_, in_key));
    if (word.empty()) fail("a number, a text in quotes, or a dotted key");
    rest_.remove_prefix(word.size());
    if (!is_known_(word)) {
      throw ConfigError(
          fmt::format("{}: require: no configuration has the key {}", location_, word));
    }
    return [word](const Keys& keys) {
      const auto found = keys.find(word);
      return found == keys.end() ? Result() : value_of(found->second);
    };
  }

  Term quoted() {
    const std::size_t end = rest_.find(rest_[0], 1);
    if (end == rest_.npos) fail("the quote that ends the text");
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return [text = std::move(text)](const Keys&) { return Result(text); };
  }

  const std::string text_;
  std::string_view rest_;
  std::string location_;
  const KnownKey& is_known_;
};

}  // namespace

Constraint::Constraint(const std::string& text, const std::string& location,
                       const KnownKey& is_known)
    : text_(of_a_length_that_fits(text, location)),
      condition_(Parser(text, location, is_known).whole()) {}

bool Constraint::holds(const Keys& keys) const {
  return condition_(keys);
}

std::vector<Constraint> constraints_of(const config::Value& value, const KnownKey& is_known) {
  using config::Value;
  std::vector<Constraint> all;
  const std::vector<Value> items =
      value.kind == Value::Kind::list ? value.items : std::vector<Value>{value};
  for (const Value& item : items) {
    if (item.kind != Value::Kind::scalar || item.number) {
      throw ConfigError(
          fmt::format("{}: require: expected a text; found {}", item.location(), item.toml));
    }
    all.emplace_back(item.text, item.location(), is_known);
  }
  return all;
}

}  // namespace easgd
