// The three kinds of failure a user can meet, each with its own exit code.
//
// A programmer's mistake is none of these, but a Bug (check.h) or an assert; no user triggers it.
#pragma once

#include <stdexcept>
#include <string>

#include "base/exit_code.h"

namespace easgd {

/// Base of the failures that are somebody's business outside this program.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}
  ExitCode exit_code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// The user's file or command line: says the file, line, key, what was expected and what was found.
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& line) : Error(ExitCode::configuration, line) {}
};

/// What one key of a configuration makes impossible, found after it was read. Whoever knows the
/// file puts the key's location in front: config::at_locations.
class KeyError : public ConfigError {
 public:
  KeyError(const std::string& key, const std::string& why)
      : ConfigError(key + ": " + why), key_(key) {}
  const std::string& key() const noexcept { return key_; }

 private:
  std::string key_;
};

/// The world's files: says the path, the offset or record, what was expected and what was found.
class DataError : public Error {
 public:
  explicit DataError(const std::string& line) : Error(ExitCode::data, line) {}
};

/// The machine: says the device, the call, what it answered and what to do.
class DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& line) : Error(ExitCode::device, line) {}
};

}  // namespace easgd
