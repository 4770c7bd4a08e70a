#include "commands/stability/tables.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/standard_output.h"

namespace easgd::stability {
namespace {

using Json = nlohmann::ordered_json;

std::string cell(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The same as a field of CSV.
std::string csv_field(const Json& value) {
  const std::string text = cell(value);
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

/// The head of a table and one of its lines.
struct Line {
  std::string head, cells;
};

Line csv_line(const Json& row) {
  Line line;
  for (const auto& [key, value] : row.items()) {
    line.head += (line.head.empty() ? "" : ",") + key;
    line.cells += (line.cells.empty() ? "" : ",") + csv_field(value);
  }
  return line;
}

Line text_line(const Json& row) {
  Line line;
  for (const auto& [key, value] : row.items()) {
    const std::size_t width = std::max<std::size_t>(24, key.size() + 2);
    line.head += fmt::format("{:>{}}", key, width);
    line.cells += fmt::format(" {:>{}}", cell(value), width - 1);
  }
  return line;
}

}  // namespace

void add_format(CLI::App& command, Format& format) {
  auto* json = command.add_flag("--json", format.json, "for programs, with all digits");
  command.add_flag("--csv", format.csv, "the table alone, for tools/plot")->excludes(json);
}

void print(const Json& object, Format format) {
  if (format.json) return output("{}\n", object.dump());
  if (format.csv) return print(std::vector{object}, format);
  for (const auto& [key, value] : object.items()) output("{:<36} {}\n", key, cell(value));
}

void print(const std::vector<Json>& rows, Format format) {
  if (format.json) return output("{}\n", Json(rows).dump());
  bool first = true;
  for (const Json& row : rows) {
    const Line line = format.csv ? csv_line(row) : text_line(row);
    if (first) output("{}\n", line.head);
    output("{}\n", line.cells);
    first = false;
  }
}

void print_with_steps(Json object, const std::vector<Json>& rows, Format format) {
  if (format.json) object["steps"] = rows;
  if (!format.csv) print(object, format);
  if (!format.json) print(rows, format);
}

}  // namespace easgd::stability
