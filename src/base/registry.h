// Things that exist by being linked in: algorithms, layers, data sets, devices.
//
// A file of `algorithms/` and its like ends with one line that adds itself; whoever needs "the
// algorithm called easgd", or "all of them", asks the registry. It is filled before main; only
// libraries that are loaded later (backend/cuda_library.h) add to it afterwards, on the main
// thread.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/nearest.h"

namespace easgd {

template <class Entry>
class Registry {
 public:
  /// Throws: Bug if the name is taken; during static initialisation that ends the
  /// program.
  static void add(const std::string& name, Entry entry) {
    const bool is_new = entries().emplace(name, std::move(entry)).second;
    EASGD_CHECK(is_new, "\"{}\" registered twice", name);
  }

  /// nullptr if there is none of that name.
  static const Entry* find(const std::string& name) {
    const auto it = entries().find(name);
    return it == entries().end() ? nullptr : &it->second;
  }

  /// Throws: ConfigError if there is none of that name.
  static const Entry& get(const std::string& name) {
    if (const Entry* entry = find(name)) return *entry;
    throw ConfigError(fmt::format("there is no \"{}\"{}", name, did_you_mean(name, names())));
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
