#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>

namespace easgd::config {

std::string Value::location() const {
  return fmt::format("{}:{}", origin, line);
}

const Value* Value::member(const std::string& key) const {
  const auto found =
      std::ranges::find(members, key, [](const auto& member) { return member.first; });
  return found == members.end() ? nullptr : &found->second;
}

}  // namespace easgd::config
