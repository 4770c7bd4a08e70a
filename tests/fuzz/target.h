// Readers of files that anybody may have made, fed with bytes of any kind: by libFuzzer
// (tools/fuzz), and by the suite with those that were kept (tests/fuzz_test.cpp).
//
// A target ends with `const RegisteredTarget kRegistered("name", {read});`. It throws what its
// reader must not let happen; of the reader's own exceptions only refusals are caught.
#pragma once

#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/registry.h"
#include "temporary_folder.h"

namespace easgd::testing {

struct FuzzTarget {
  void (*read)(std::string_view bytes);
};

using RegisteredTarget = Registered<FuzzTarget>;

/// Whether `work` was done; it may refuse what it was given, in one line of a length that fits.
/// Throws: std::logic_error if it does so otherwise; what `work` throws but ConfigError, DataError.
inline bool accepts(const std::function<void()>& work) {
  constexpr std::size_t kLongest = 2000;
  const auto check = [](const std::string& line) {
    if (line.empty() || line.size() > kLongest || line.find('\n') != line.npos) {
      throw std::logic_error("not refused in a line: " + line);
    }
    return false;
  };
  try {
    work();
    return true;
  } catch (const ConfigError& e) {
    return check(e.what());
  } catch (const DataError& e) {
    return check(e.what());
  }
}

inline void expect(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// Files of a target's own, written anew for every input.
class FuzzFolder {
 public:
  std::string path() const { return folder_.string(); }
  std::string put(const std::string& name, std::string_view bytes) const {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), std::streamsize(bytes.size()));
    return path;
  }
  void remove(const std::string& name) const { std::filesystem::remove(folder_ / name); }

 private:
  TemporaryFolder folder_;
};

}  // namespace easgd::testing
