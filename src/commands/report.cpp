#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/error.h"
#include "base/standard_output.h"
#include "base/warning.h"
#include "base/write_file.h"
#include "commands/commands.h"
#include "report/csv.h"
#include "report/markdown.h"
#include "report/page.h"
#include "report/study.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::vector<std::string> places;
  std::string out, markdown, csv;
};

constexpr const char* kDefault = "report.html";

/// Where the page goes: if nobody says, into the folder that it is about, if that is one.
fs::path place_of_page(const Arguments& a) {
  const fs::path page = !a.out.empty()         ? fs::path(a.out)
                        : a.places.size() == 1 ? fs::path(a.places[0]) / kDefault
                                               : fs::path(kDefault);
  std::error_code ignored;
  if (fs::is_regular_file(page, ignored) && !report::is_own_page(page)) {
    throw ConfigError(page.string() +
                      ": is there, and no page of this program; name another with --out");
  }
  return page;
}

/// A device or a pipe is written to, never replaced.
void write(const fs::path& file, const std::string& text) {
  if (file == "-") return write_output(text);
  std::error_code ignored;
  if (!fs::exists(file, ignored) || fs::is_regular_file(file, ignored)) {
    return write_file(file, [&text](std::ostream& stream) { stream << text; });
  }
  std::ofstream stream(file, std::ios::binary);
  stream << text << std::flush;
  if (!stream) throw DataError(file.string() + ": cannot be written");
}

void make_report(const Arguments& a) {
  // Tables alone, if these alone are asked for.
  const bool wants_page = !a.out.empty() || (a.markdown.empty() && a.csv.empty());
  const fs::path page = wants_page ? place_of_page(a) : fs::path();
  const report::Study study = report::read_study(a.places);
  for (const std::string& note : study.notes) warn(note);
  if (!a.csv.empty()) write(a.csv, report::csv_of(study));
  if (!a.markdown.empty()) write(a.markdown, report::markdown_of(study));
  if (!wants_page) return;
  const std::string text = report::page_of(study);
  try {
    write(page, text);
  } catch (const DataError& e) {
    if (!a.out.empty()) throw;
    throw DataError(fmt::format("{}; name another place with --out", e.what()));
  }
  if (page == "-") return;
  output("{}: {} run{}, {} group{}, {:.0f} kB\n", page.string(), study.runs.size(),
         study.runs.size() == 1 ? "" : "s", study.groups.size(),
         study.groups.size() == 1 ? "" : "s", double(text.size()) / 1e3);
}

}  // namespace

void declare_report(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("report", "a page that compares runs, and tables of them");
  command->add_option("folders", a->places, "folders of runs, of sweeps, or of one run each")
      ->required();
  command->add_option("--out", a->out,
                      "the page (default: report.html, in the folder if there is but one)");
  command->add_option("--markdown", a->markdown, "a table for a README instead; - prints it");
  command->add_option("--csv", a->csv, "a row a run, for programs, instead; - prints it");
  command->callback([a, &result] {
    make_report(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd
