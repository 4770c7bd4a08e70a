// A checkpoint is the center at one version, and the next letter of each worker with its whole
// replica.
//
//   master:  version V: copies the center, its rule, its order; marks every worker
//   worker:  the first letter that is answered after V: once the reply is there, and before it is
//            used, lays down the replica as it was when that letter was posted
//   worker:  no letter after V: lays down the replica when it leaves
//
// Nobody waits for anybody. Letters absorbed after V are in neither: who goes on from here posts
// them again. In a fixed order the same bytes follow.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/saved_state.h"

namespace easgd {

/// Sections: "center", "rule" and "order" of the master; "worker 0" and so on, but for those that
/// have failed; and whatever the maker of the run adds.
struct Checkpoint {
  std::uint64_t version = 0;
  bool is_last = false;  ///< of the run: it has ended there, or was stopped
  std::map<std::string, SavedState> sections = {};

  /// Null if there is none.
  const SavedState* find(const std::string& section) const {
    const auto found = sections.find(section);
    return found == sections.end() ? nullptr : &found->second;
  }
  /// Throws: DataError.
  const SavedState& get(const std::string& section) const;
  static std::string section_of_worker(std::size_t index) {
    return "worker " + std::to_string(index);
  }
  const SavedState* worker(std::size_t index) const { return find(section_of_worker(index)); }
};

/// Takes something up from a section: what does not fit is told with the section's name.
/// Throws: what `take` throws.
void in_section(const std::string& section, const std::function<void()>& take);

}  // namespace easgd
