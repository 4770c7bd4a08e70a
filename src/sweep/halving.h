// Asynchronous successive halving: which candidates go on, and which are stopped ([Li20],
// algorithm 2).
//
//   rung k         where a candidate rests: its result there is compared with those of others
//   free place     from the highest rung down: whoever is among the floor(n / eta) best of the n
//                  results of its rung, and has not gone on yet, goes on to the next rung; if there
//                  is none, the next candidate begins
//   nothing left   if no candidate has come to its end well, the best of the highest rung goes on
//
// Candidates are numbered from 0, and begin in that order. Levels 0, 1, ... are rungs, the last
// level is the candidate's end.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace easgd {

class Halving {
 public:
  struct Shape {
    std::size_t candidates = 0, rungs = 0;
    std::size_t eta = 3;
  };

  explicit Halving(const Shape& shape);

  std::size_t end() const { return shape_.rungs; }

  /// Where the candidate is, or is on its way to; nothing if it has not begun.
  std::optional<std::size_t> level_of(std::size_t candidate) const {
    return candidates_[candidate].level;
  }
  /// The candidate is on its way to a level, or has come there.
  void begin(std::size_t candidate, std::size_t level);
  /// Lower is better. What is not finite ranks last, and never goes on.
  void report(std::size_t candidate, std::size_t level, double value);

  struct Step {
    std::size_t candidate = 0, level = 0;
    bool operator==(const Step&) const = default;
  };
  /// Who is to be on its way to which level, now that there is a place for it; nothing if all have
  /// to wait for a result, or for ever.
  std::optional<Step> next() const;
  /// Those who rest at a rung and cannot go on any more, whatever comes. Until a candidate has
  /// ended well, these are only those whose results are not finite: others may have to step in.
  std::vector<std::size_t> losers() const;

 private:
  /// `level`: on its way there, or resting there.
  struct Candidate {
    std::optional<std::size_t> level;
    std::vector<std::optional<double>> results;  // of each level
  };

  bool rests_at(std::size_t candidate, std::size_t level) const;
  bool somebody_has_ended_well() const;
  bool somebody_is_at_work() const;
  std::vector<std::size_t> ranked(std::size_t level) const;
  std::optional<Step> first_resting(std::size_t level, std::size_t best) const;

  const Shape shape_;
  std::vector<Candidate> candidates_;
};

}  // namespace easgd
