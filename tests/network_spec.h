// Networks for tests, written as text: "conv channels=5 kernel=3; relu; linear outputs=4". The loss
// is added at the end, if none is there.
#pragma once

#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/registry.h"
#include "nn/network.h"

namespace easgd::testing {

/// Sets the fields that a text of key=value pairs names.
class SpecFields final : public config::Fields {
 public:
  explicit SpecFields(std::istream& text) {
    for (std::string pair; text >> pair;) {
      const auto equals = pair.find('=');
      given_[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }
  ~SpecFields() override = default;

  void any(const char*, std::optional<config::Value>&, const char*, const char*) override {}
  void text(const char* key, std::string& value, const char*) override { set(key, value); }
  void choice(const char* key, std::string& value, const Words&, const char*) override {
    set(key, value);
  }
  void integer(const char* key, std::int64_t& value, config::Bounds, const char*) override {
    set(key, value);
  }
  void integer(const char* key, std::optional<std::int64_t>& value, config::Bounds,
               const char*) override {
    if (given_.contains(key)) set(key, value.emplace());
  }
  void sides(const char* key, Sides& value, config::Bounds, const char*) override {
    const auto it = given_.find(key);
    if (it == given_.end()) return;
    std::istringstream text(it->second);  // "3" or "3x1"
    text >> value.height;
    value.width = value.height;
    if (text.ignore()) text >> value.width;
    given_.erase(it);
  }
  void number(const char* key, double& value, config::Bounds, const char*) override {
    set(key, value);
  }
  void number(const char* key, std::optional<double>& value, config::Bounds, const char*) override {
    if (given_.contains(key)) set(key, value.emplace());
  }
  void number_or_flag(const char* key, double& value, std::optional<bool>&, config::Bounds,
                      const char*) override {
    set(key, value);
  }
  void flag(const char* key, bool& value, const char*) override { set(key, value); }
  void numbers(const char*, std::vector<double>&, config::Bounds, const char*) override {}
  void words(const char*, Words&, const char*) override {}
  void table(const char*, const std::function<void(Fields&)>&, const char*) override {}
  void tables(const char*, std::size_t, const std::function<void(Fields&, std::size_t)>&,
              const char*) override {}

  void expect_all_used() const {
    for (const auto& [key, value] : given_) throw std::logic_error("test network: no field " + key);
  }

 private:
  template <class T>
  void set(const char* key, T& value) {
    const auto it = given_.find(key);
    if (it == given_.end()) return;
    std::istringstream(it->second) >> value;
    given_.erase(it);
  }

  std::map<std::string, std::string> given_;
};

inline std::vector<std::shared_ptr<Layer>> make_layers(const std::string& spec) {
  std::vector<std::shared_ptr<Layer>> layers;
  const bool has_loss = spec.find("softmax_cross_entropy") != spec.npos;
  std::istringstream lines(spec + (has_loss ? "" : ";softmax_cross_entropy"));
  for (std::string line; std::getline(lines, line, ';');) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    const LayerEntry* entry = Registry<LayerEntry>::find(kind);
    if (!entry) throw std::logic_error("test network: no layer " + kind);
    layers.push_back((*entry)());
    SpecFields fields(words);
    fields.text("from", layers.back()->from, "");
    layers.back()->fields(fields);
    fields.expect_all_used();
    layers.back()->name = kind + std::to_string(layers.size());
  }
  return layers;
}

inline Network make_network(Shape input, int classes, const std::string& spec) {
  return Network(input, classes, make_layers(spec));
}

}  // namespace easgd::testing
