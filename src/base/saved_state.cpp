#include "base/saved_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace easgd {
namespace {

template <class Value>
const Value& find(const std::map<std::string, Value>& all, const std::string& name) {
  const auto found = all.find(name);
  if (found == all.end()) throw DataError(fmt::format("has no \"{}\"", name));
  return found->second;
}

template <class Value>
const Value& find(const std::map<std::string, Value>& all, const std::string& name,
                  std::size_t count) {
  const Value& found = find(all, name);
  if (found.size() != count) {
    throw DataError(fmt::format("\"{}\": expected {} values, found {}", name, count, found.size()));
  }
  return found;
}

}  // namespace

const std::vector<float>& SavedState::vector(const std::string& name, std::size_t count) const {
  return find(vectors, name, count);
}

const std::vector<std::uint64_t>& SavedState::counts(const std::string& name,
                                                     std::size_t count) const {
  return find(counters, name, count);
}

const std::vector<double>& SavedState::list(const std::string& name, std::size_t count) const {
  return find(numbers, name, count);
}

const std::string& SavedState::text(const std::string& name) const {
  return find(texts, name);
}

void copy_on_host(ConstView from, View to) {
  std::ranges::copy(from, to.begin());
}

void StateSaver::vector(const std::string& name, View values) {
  std::vector<float>& copy = saved.vectors[name];
  copy.resize(values.size());
  download_(values, copy);
}

void StateSaver::counter(const std::string& name, std::uint64_t& value) {
  saved.counters[name] = {value};
}

void StateSaver::number(const std::string& name, double& value) {
  saved.numbers[name] = {value};
}

void StateLoader::vector(const std::string& name, View values) {
  upload_(saved_.vector(name, values.size()), values);
}

void StateLoader::counter(const std::string& name, std::uint64_t& value) {
  value = saved_.counter(name);
}

void StateLoader::number(const std::string& name, double& value) {
  value = saved_.number(name);
}

}  // namespace easgd
