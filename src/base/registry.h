// Things that exist by being linked in: algorithms, layers, data sets, devices.
//
// A file of `algorithms/` and its like ends with one line that adds itself; whoever needs "the
// algorithm called easgd", or "all of them", asks the registry. Filled before main, read-only
// afterwards.
#pragma once

#include <cassert>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace easgd {

template <class Entry>
class Registry {
 public:
  static void add(const std::string& name, Entry entry) {
    [[maybe_unused]] const bool is_new = entries().emplace(name, std::move(entry)).second;
    assert(is_new);
  }

  /// nullptr where there is none of that name.
  static const Entry* find(const std::string& name) {
    const auto it = entries().find(name);
    return it == entries().end() ? nullptr : &it->second;
  }

  /// In alphabetical order.
  static std::vector<std::string> names() {
    std::vector<std::string> result;
    for (const auto& [name, entry] : entries()) result.push_back(name);
    return result;
  }

 private:
  static std::map<std::string, Entry>& entries() {
    static std::map<std::string, Entry> instance;
    return instance;
  }
};

/// `const Registered<Entry> kRegistered("name", entry);` at the end of a file adds an entry.
template <class Entry>
struct Registered {
  Registered(const std::string& name, Entry entry) { Registry<Entry>::add(name, std::move(entry)); }
};

}  // namespace easgd
