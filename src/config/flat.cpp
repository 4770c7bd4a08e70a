#include "config/flat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace easgd::config {
namespace {

class Flattener final : public Fields {
 public:
  Flattener(std::vector<FlatValue>& values, std::string prefix)
      : values_(values), prefix_(std::move(prefix)) {}

  void any(const char* key, std::optional<Value>& value, const char*, const char*) override {
    if (value) put(key, value->text);
  }
  void text(const char* key, std::string& value, const char*) override { put(key, value); }
  void choice(const char* key, std::string& value, const Words&, const char*) override {
    put(key, value);
  }
  void integer(const char* key, std::int64_t& value, Bounds, const char*) override {
    put(key, double(value));
  }
  void integer(const char* key, std::optional<std::int64_t>& value, Bounds, const char*) override {
    if (value) put(key, double(*value));
  }
  void number(const char* key, double& value, Bounds, const char*) override { put(key, value); }
  void number(const char* key, std::optional<double>& value, Bounds, const char*) override {
    if (value) put(key, *value);
  }
  void flag(const char* key, bool& value, const char*) override { put(key, value); }
  void numbers(const char* key, std::vector<double>& value, Bounds, const char*) override {
    put(key, fmt::format("{}", fmt::join(value, " ")));
  }
  void words(const char* key, Words& value, const char*) override {
    put(key, fmt::format("{}", fmt::join(value, " ")));
  }
  void table(const char* key, const std::function<void(Fields&)>& fields, const char*) override {
    Flattener inner(values_, prefix_ + key + ".");
    fields(inner);
  }
  void tables(const char*, std::size_t, const std::function<void(Fields&, std::size_t)>&,
              const char*) override {}

 private:
  template <class T>
  void put(const char* key, const T& value) {
    values_.push_back({prefix_ + key, value});
  }

  std::vector<FlatValue>& values_;
  std::string prefix_;
};

}  // namespace

std::vector<FlatValue> flat(const std::function<void(Fields&)>& fields) {
  std::vector<FlatValue> values;
  Flattener flattener(values, "");
  fields(flattener);
  return values;
}

}  // namespace easgd::config
