// The order of a run on disk: order.bin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "settings/worker_schedule.h"

namespace easgd {

/// What befell a worker, in the order of its visits to the master.
struct Incident {
  enum class Kind : std::uint64_t {
    refused,    ///< its letter `at` was not finite
    began,      ///< with its visit `at` it began again from the center, after a failure
    gone,       ///< it has failed, and came no more
    went_back,  ///< all workers went back to version `clock`, and went on more slowly
  };

  std::uint64_t at = 0;  ///< of all visits, from 0
  std::uint64_t worker = 0;
  Kind kind = Kind::refused;
  std::uint64_t clock = 0;  ///< the step in which it had failed, and with which it began again

  bool operator==(const Incident&) const = default;
};

/// What `order.bin` holds: what was run, who was absorbed when, what befell whom, and how many
/// steps each worker took in the end.
///
/// File, little-endian: "easgd order 4\n\0\0" (16 bytes), workers (u32), length of the
/// configuration (u32) and its text, a u16 for each visit (a letter or a pull), 0xffff, the steps
/// of each worker (u64), and fnv1a of all that (u64). If there were incidents, it begins with
/// "easgd order 5\n\0\0", and behind the steps are their number (u64), and of each visit, worker,
/// kind and clock (u64). Files of earlier programs have 2 and 3 there, and no checksum.
struct Recording {
  std::vector<std::uint16_t> letters;
  std::vector<std::uint64_t> steps;
  std::string config = {};               ///< TOML of what the result depends on beside the order
  std::vector<Incident> incidents = {};  ///< by their visits; at the end who was gone

  /// Throws: DataError if the file is not an order.bin of `workers` workers.
  static Recording read(const std::filesystem::path& path, std::size_t workers);
  void write(std::ostream& file, std::size_t workers) const;
  /// That of a visit; null if there is none.
  const Incident* find(Incident::Kind kind, std::uint64_t visit) const;
  /// Where the lives of each worker ended, for those that began again or were gone.
  std::vector<std::vector<LifeEnd>> lives() const;
  /// `here`: the same of this run, by dump_replay_config(). Keys that did not exist when the run
  /// was recorded have their defaults.
  /// Throws: KeyError against center.replay, with the first key that differs, if a run of this
  /// configuration would not repeat the recorded one; DataError of `file` if what it holds is no
  /// configuration.
  void check_repeats(const std::string& here, const std::string& file) const;
};

}  // namespace easgd
