// Every option is declared once, in a `fields` function of the struct that holds it:
//
//   void fields(config::Fields& f) { f.number("momentum", momentum, {0, 1}, "Nesterov momentum"); }
//
// Readers, the help text and the dump of the resolved configuration are visitors of that
// declaration, so none of them can disagree with the others.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/sides.h"
#include "config/value.h"

namespace easgd::config {

/// Closed interval of allowed values, in the unit of the value.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// Visitor of option declarations. `meaning` is one line for people; an empty optional is "not
/// given".
class Fields {
 public:
  using Words = std::vector<std::string>;

  virtual ~Fields() = default;
  /// "file:line" of the table that is being read; empty if none is.
  virtual std::string location() const { return {}; }
  /// A key that another choice would have here. If it is given, a reader notes it and goes on:
  /// whoever checks the configuration knows what to say of it (Locations::foreign).
  virtual void foreign(const char* /*key*/) {}
  /// A table that another choice would have here. If it is given, its keys are checked, and nobody
  /// uses their values.
  virtual void foreign_table(const char* /*key*/, const std::function<void(Fields&)>&) {}
  /// What others call a key: who writes it is told.
  virtual void synonym(const char* /*word*/, const char* /*key*/) {}
  /// A value of any kind, which whoever declares it makes sense of. `kind` is for people.
  virtual void any(const char* key, std::optional<Value>& value, const char* kind,
                   const char* meaning) = 0;
  virtual void text(const char* key, std::string& value, const char* meaning) = 0;
  virtual void choice(const char* key, std::string& value, const Words& allowed,
                      const char* meaning) = 0;
  virtual void integer(const char* key, std::int64_t& value, Bounds bounds,
                       const char* meaning) = 0;
  virtual void integer(const char* key, std::optional<std::int64_t>& value, Bounds bounds,
                       const char* meaning) = 0;
  /// An integer for both sides, or a list of two: height, width.
  virtual void sides(const char* key, Sides& value, Bounds bounds, const char* meaning) = 0;
  virtual void number(const char* key, double& value, Bounds bounds, const char* meaning) = 0;
  virtual void number(const char* key, std::optional<double>& value, Bounds bounds,
                      const char* meaning) = 0;
  /// A number; or true or false in its place, of which the flag is then made.
  virtual void number_or_flag(const char* key, double& value, std::optional<bool>& flag,
                              Bounds bounds, const char* meaning) = 0;
  virtual void flag(const char* key, bool& value, const char* meaning) = 0;
  virtual void numbers(const char* key, std::vector<double>& value, Bounds bounds,
                       const char* meaning) = 0;
  /// A list of words or integers; a lone one stands for a list of one.
  virtual void words(const char* key, Words& value, const char* meaning) = 0;
  /// A table of further fields.
  virtual void table(const char* key, const std::function<void(Fields&)>& fields,
                     const char* meaning) = 0;
  /// A list of tables. `element(f, i)` declares the fields of element i, which it appends where
  /// i is the list's end; `count` is the present length.
  virtual void tables(const char* key, std::size_t count,
                      const std::function<void(Fields&, std::size_t)>& element,
                      const char* meaning) = 0;
};

}  // namespace easgd::config
