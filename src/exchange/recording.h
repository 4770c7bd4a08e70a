// The order of a run on disk: order.bin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace easgd {

/// What `order.bin` holds: what was run, who was absorbed when, and how many steps each worker took
/// in the end.
///
/// File, little-endian: "easgd order 2\n\0\0" (16 bytes), workers (u32), length of the
/// configuration (u32) and its text, a u16 for each absorbed letter, 0xffff, and the steps of each
/// worker (u64).
struct Recording {
  std::vector<std::uint16_t> letters;
  std::vector<std::uint64_t> steps;
  std::string config = {};  ///< TOML of what the result depends on beside the order

  /// Throws: DataError if the file is not an order.bin of `workers` workers.
  static Recording read(const std::filesystem::path& path, std::size_t workers);
  void write(std::ostream& file, std::size_t workers) const;
  /// `here`: the same of this run, by dump_replay_config(). Keys that did not exist when the run
  /// was recorded have their defaults.
  /// Throws: KeyError against center.replay, with the first key that differs, if a run of this
  /// configuration would not repeat the recorded one.
  void check_repeats(const std::string& here) const;
};

}  // namespace easgd
