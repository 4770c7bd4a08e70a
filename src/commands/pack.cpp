#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/shown_bytes.h"
#include "base/standard_output.h"
#include "base/terminal.h"
#include "base/warning.h"
#include "commands/commands.h"
#include "pictures/pack.h"
#include "runs/progress.h"

namespace easgd {
namespace {

struct Arguments {
  std::string source, to, checked;
  double holdout = 0;
  PackOptions options;
};

using Clock = std::chrono::steady_clock;

/// Says how far it has come: at the bottom of a terminal, else every ten seconds.
class Reporter {
 public:
  void operator()(const PackProgress& progress) {
    const auto now = Clock::now();
    if (first_ == 0) first_ = progress.done;
    if (now - last_ < (is_terminal() ? std::chrono::milliseconds(200) : std::chrono::seconds(10)))
      return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double rate = double(progress.done - first_) / seconds;
    std::string line = fmt::format("{} of {} pictures, {}", progress.done, progress.all,
                                   shown_bytes(progress.bytes));
    if (rate > 0)
      line += fmt::format(", {:.0f} a second, {} left", rate,
                          clock_text(double(progress.all - progress.done) / rate));
    constexpr std::size_t kBar = 20;
    is_terminal() ? show_bottom_lines(
                        {bar_text(double(progress.done) / double(progress.all), kBar) + " " + line})
                  : write_line(line);
  }

 private:
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
  std::size_t first_ = 0;  // pictures that were packed before
};

/// Says what is to come, if anything is left.
/// Throws: DataError if there is no room for it.
void check_room(const PackEstimate& estimate, std::size_t classes, const Arguments& a) {
  if (estimate.packed == estimate.pictures) return;
  output("{} pictures of {} classes{} will take about {} ({}); {} are free\n", estimate.pictures,
         classes,
         estimate.packed > 0 ? fmt::format(", {} of them packed: the others", estimate.packed) : "",
         shown_bytes(estimate.bytes),
         a.options.raw ? "raw" : fmt::format("JPEG, quality {}", a.options.quality),
         shown_bytes(estimate.free));
  finish_output();
  if (estimate.bytes <= estimate.free) return;
  throw DataError(
      fmt::format("{}: expected room for about {}, found {}; choose another folder, a "
                  "smaller --side, or no --raw",
                  a.to, shown_bytes(estimate.bytes), shown_bytes(estimate.free)));
}

void make(const Arguments& a) {
  if (std::isnan(a.holdout)) throw ConfigError("pack: --holdout: expected 0 to 0.9, found nan");
  std::error_code ignored;  // one of them is not there
  if (std::filesystem::equivalent(a.source, a.to, ignored))
    throw ConfigError("pack: expected two folders, found " + a.source + " twice");
  PictureFolder source = find_pictures(a.source, a.holdout);
  const std::size_t classes = source.train.classes.size();
  const Packing packing(std::move(source), a.to, a.options);
  const PackEstimate estimate = packing.estimate();
  check_room(estimate, classes, a);
  const WarningScope warnings([](const std::string& line) { write_line("easgd: " + line); });
  Reporter reporter;
  const PackResult done = packing.run(std::ref(reporter));
  show_bottom_lines({});
  output("{}: {} training and {} test pictures, {}; {} could not be decoded\n", a.to, done.train,
         done.test, shown_bytes(done.bytes), done.bad);
}

void check(const std::string& folder, int threads) {
  const PackCheck found = check_pack(folder, threads);
  for (const std::string& line : found.damaged) output("{}\n", line);
  output("{}: {} records, {} of them damaged\n", folder, found.records, found.damaged.size());
  finish_output();
  if (!found.damaged.empty())
    throw DataError(folder + ": has damaged records; pack it again into another folder");
}

}  // namespace

void declare_pack(CLI::App& app, ExitCode&) {
  const auto a = std::make_shared<Arguments>();
  auto* command =
      app.add_subcommand("pack", "packs a folder of pictures for data.set = \"packed\"");
  auto* source = command->add_option("source", a->source, "folder of data.set = \"image_folder\"");
  auto* to =
      command->add_option("to", a->to, "folder for the records; what is there is gone on with");
  auto* side = command->add_option("--side", a->options.side,
                                   "the shorter side of larger pictures; 0: as it is");
  side->check(CLI::Range(0, 65535))->capture_default_str();
  auto* raw = command->add_flag("--raw", a->options.raw,
                                "bytes of pixels instead of JPEG: larger, read faster");
  auto* quality =
      command->add_option("--quality", a->options.quality, "of JPEG files that are made");
  quality->check(CLI::Range(1, 100))->capture_default_str()->excludes(raw);
  auto* holdout = command->add_option("--holdout", a->holdout, "as data.holdout");
  holdout->check(CLI::Range(0.0, 0.9));
  command->add_option("--threads", a->options.threads, "0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  auto* check_option =
      command->add_option("--check", a->checked, "look at every record of that folder instead");
  for (CLI::Option* other : {source, to, side, raw, quality, holdout})
    check_option->excludes(other);
  command->callback([a] {
    if (!a->checked.empty()) return check(a->checked, a->options.threads);
    if (a->source.empty() || a->to.empty())
      throw ConfigError("pack: expected two folders, SOURCE and TO, or --check FOLDER");
    make(*a);
  });
}

}  // namespace easgd
