// State that was copied out of objects: what their describe() names, in host memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/state.h"
#include "base/view.h"

namespace easgd {

struct SavedState {
  std::map<std::string, std::vector<float>> vectors = {};
  std::map<std::string, std::vector<std::uint64_t>> counters =
      {};  ///< one counter is a list of one
  std::map<std::string, std::vector<double>> numbers = {};
  std::map<std::string, std::string> texts = {};

  bool operator==(const SavedState&) const = default;

  // Each of these throws DataError if there is nothing of that name, or it is not of that length.
  const std::vector<float>& vector(const std::string& name, std::size_t count) const;
  const std::vector<std::uint64_t>& counts(const std::string& name, std::size_t count) const;
  const std::vector<double>& list(const std::string& name, std::size_t count) const;
  const std::string& text(const std::string& name) const;
  std::uint64_t counter(const std::string& name) const { return counts(name, 1)[0]; }
  double number(const std::string& name) const { return list(name, 1)[0]; }
};

/// Copies between the memory of an object's device and the host's; both have the same size.
using CopyNumbers = std::function<void(ConstView from, View to)>;

/// Within the host's memory.
void copy_on_host(ConstView from, View to);

/// Copies what an object describes.
class StateSaver final : public State {
 public:
  explicit StateSaver(CopyNumbers download = copy_on_host) : download_(std::move(download)) {}
  void vector(const std::string& name, View values) override;
  void counter(const std::string& name, std::uint64_t& value) override;
  void number(const std::string& name, double& value) override;

  SavedState saved;

 private:
  CopyNumbers download_;
};

/// Gives it back to an object that was made anew with the same options.
/// Throws: DataError if the state is another object's.
class StateLoader final : public State {
 public:
  explicit StateLoader(const SavedState& saved, CopyNumbers upload = copy_on_host)
      : saved_(saved), upload_(std::move(upload)) {}
  void vector(const std::string& name, View values) override;
  void counter(const std::string& name, std::uint64_t& value) override;
  void number(const std::string& name, double& value) override;

 private:
  const SavedState& saved_;
  CopyNumbers upload_;
};

}  // namespace easgd
