// Another program has a sweep made, and says which runs: a search. It writes objects, one a line,
// to the standard input, and reads objects from the standard output. docs/search.md has them all.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "sweep/capacity.h"
#include "sweep/supervisor.h"
#include "sweep/sweep_client.h"
#include "sweep/sweep_file.h"
#include "sweep/sweep_folder.h"

namespace easgd {

/// What the sweep is made of. It has to outlive whoever is given it.
struct AskedSweep {
  const SweepFile& file;
  const std::vector<std::string>& overrides;
  const SweepFolder& folder;
  const SweepOptions& options;
};

/// Thread: main.
class AskedRuns final : public SweepClient {
 public:
  /// One line of the standard input.
  struct Line;

  explicit AskedRuns(const AskedSweep& sweep);

  /// Says what the sweep varies.
  void begin() override;
  /// A line that is not as docs/search.md has it is answered, and asks for nothing.
  std::vector<const SweepRun*> asked_runs() override;
  bool may_ask() override { return !input_ended_; }
  int descriptor() const override;
  bool gives_up(const std::string& identity) override { return given_up_.contains(identity); }
  /// So does an input that ends while runs are at work: whoever asked is no more.
  bool wants_end() override;
  void run_began(const std::string& identity) override;
  void run_ended(const StateEvent& state) override;

 private:
  std::vector<std::string> new_lines();
  const SweepRun* take(const Line& line);
  void plan(const Line& line);
  /// Throws: ConfigError if there is no such group or point.
  Combination combination_of(const Line& line) const;

  const AskedSweep sweep_;
  Capacity capacity_;  // of the whole machine; nothing is taken from it
  SweepRecord record_;
  std::map<std::string, SweepRun> planned_;
  std::set<std::string> open_;  // asked for, and not ended
  std::set<std::string> given_up_;
  std::string rest_;  // of the input, without an end yet
  bool input_ended_ = false;
};

}  // namespace easgd
