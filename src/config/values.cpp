#include "config/values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace easgd::config {
namespace {

using Values = std::map<std::string, std::string>;

std::string exact(double value) {
  return fmt::format("{} ({:a})", value, value);
}

class Collector final : public Fields {
 public:
  Collector(std::string prefix, Values& values) : prefix_(std::move(prefix)), values_(values) {}

  void text(const char* key, std::string& value, const char*) override { put(key, value); }
  void choice(const char* key, std::string& value, const Words&, const char*) override {
    put(key, value);
  }
  void integer(const char* key, std::int64_t& value, Bounds, const char*) override {
    put(key, std::to_string(value));
  }
  void integer(const char* key, std::optional<std::int64_t>& value, Bounds, const char*) override {
    if (value) put(key, std::to_string(*value));
  }
  void number(const char* key, double& value, Bounds, const char*) override {
    put(key, exact(value));
  }
  void number(const char* key, std::optional<double>& value, Bounds, const char*) override {
    if (value) put(key, exact(*value));
  }
  void flag(const char* key, bool& value, const char*) override {
    put(key, value ? "true" : "false");
  }
  void numbers(const char* key, std::vector<double>& value, Bounds, const char*) override {
    Words items;
    for (const double item : value) items.push_back(exact(item));
    put(key, fmt::format("[{}]", fmt::join(items, ", ")));
  }
  void words(const char* key, Words& value, const char*) override {
    put(key, fmt::format("{}", value));
  }
  void table(const char* key, const std::function<void(Fields&)>& fields, const char*) override {
    Collector inner(prefix_ + key + ".", values_);
    fields(inner);
  }
  void tables(const char* key, std::size_t count,
              const std::function<void(Fields&, std::size_t)>& element, const char*) override {
    for (std::size_t i = 0; i < count; ++i) {
      Collector inner(fmt::format("{}{}[{}].", prefix_, key, i), values_);
      element(inner, i);
    }
  }

 private:
  void put(const char* key, std::string value) { values_[prefix_ + key] = std::move(value); }

  std::string prefix_;
  Values& values_;
};

}  // namespace

std::map<std::string, std::string> values_of(const std::function<void(Fields&)>& fields) {
  Values values;
  Collector collector("", values);
  fields(collector);
  return values;
}

}  // namespace easgd::config
