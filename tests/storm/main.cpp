// tools/storm [--seed N] [--storms N] [--minutes M] [--show]
//
// Storm after storm (storm.h), the first with seed N, up to so many or for so long. A seed repeats
// what its storm does. Exit code 1: something was wrong, in the last line.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "storm.h"

namespace {

struct Options {
  std::uint64_t seed = 1, storms = 1;
  double minutes = 0;
  bool shows = false;
};

constexpr unsigned kPatience = 120;  // seconds of one storm, which takes milliseconds

/// Said of a storm that does not end, or ends all.
char last_words[80];

void announce(std::uint64_t seed) {
  *fmt::format_to_n(last_words, sizeof last_words - 1,
                    "the storm hangs, or has crashed\ntools/storm --seed {}\n", seed)
       .out = '\0';
  alarm(kPatience);
}

void give_up(int) {
  [[maybe_unused]] const auto written = write(STDOUT_FILENO, last_words, std::strlen(last_words));
  _exit(1);
}

int run(const Options& options) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto spent = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  std::uint64_t storms = 0;
  easgd::storm::Report sum;
  const bool is_timed = options.minutes > 0;
  const std::uint64_t most = options.storms * (std::getenv("EASGD_LONG_TESTS") ? 5 : 1);
  while (is_timed ? spent() < 60 * options.minutes : storms < most) {
    const std::uint64_t seed = options.seed + storms++;
    announce(seed);
    if (options.shows) fmt::print("{}\n", easgd::storm::weather_of(seed)), std::fflush(stdout);
    const easgd::storm::Report report = easgd::storm::storm(seed);
    sum += report;
    if (report.wrong) {
      fmt::print("seed {}: {}\n{}\ntools/storm --seed {}\n", seed, report.weather, *report.wrong,
                 seed);
      return 1;
    }
  }
  fmt::print(
      "{} storms from seed {}: {} pieces, {} checkpoints, {} versions, {} letters refused, {} "
      "workers began again, {} were gone, {:.0f} storms a minute\n",
      storms, options.seed, sum.pieces, sum.checkpoints, sum.versions, sum.refused, sum.restarts,
      sum.gone, 60 * double(storms) / spent());
  return 0;
}

}  // namespace

int main(int count, char** words) {
  CLI::App app("Storms over the toy objective", "tools/storm");
  Options options;
  app.add_option("--seed", options.seed, "of the first storm");
  app.add_option("--storms", options.storms,
                 "how many; five times as many if $EASGD_LONG_TESTS is set");
  app.add_option("--minutes", options.minutes, "for how long, instead");
  app.add_flag("--show", options.shows, "print what each seed has chosen");
  CLI11_PARSE(app, count, words);
  for (const int fatal : {SIGALRM, SIGABRT, SIGSEGV}) signal(fatal, give_up);
  try {
    return run(options);
  } catch (const std::exception& e) {
    fmt::print(stderr, "storm: {}\n", e.what());
    return 1;
  }
}
