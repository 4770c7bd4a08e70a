// center.safetensors: the center that was saved last.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/view.h"
#include "nn/network.h"
#include "runs/run_folder.h"

namespace easgd {

/// Thread: any.
class CenterFile {
 public:
  /// `metadata`: see center_metadata(). Folder and network must outlive it.
  CenterFile(RunFolder& folder, const Network& network,
             std::map<std::string, std::string> metadata);

  /// Writes the initial state [P + S], unless one of the run has been saved already.
  /// Throws: DataError.
  void begin(ConstView state0);
  /// Writes a state [P + S], also over that of a later version: the run may have gone back.
  /// Throws: DataError.
  void save(ConstView state, std::uint64_t version);
  /// The version in the file; nothing if there is none.
  std::optional<std::uint64_t> version() const;
  std::string path() const;

 private:
  void write(ConstView state, std::uint64_t version);

  RunFolder& folder_;
  const Network& network_;
  const std::map<std::string, std::string> metadata_;
  mutable std::mutex mutex_;
  std::optional<std::uint64_t> version_;
};

}  // namespace easgd
