// How the subcommands of `easgd stability` print figures: text, JSON or CSV.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace CLI {
class App;
}

namespace easgd::stability {

/// --json and --csv; text without either.
struct Format {
  bool json = false, csv = false;
};

void add_format(CLI::App& command, Format& format);

/// One object: "key  value" lines, JSON, or a CSV of one row.
void print(const nlohmann::ordered_json& object, Format format);

/// Rows of the same keys: a table, a JSON list, or CSV.
void print(const std::vector<nlohmann::ordered_json>& rows, Format format);

/// An object and a row for each of its steps: both as text, the object with member "steps" as JSON,
/// the rows alone as CSV.
void print_with_steps(nlohmann::ordered_json object,
                      const std::vector<nlohmann::ordered_json>& rows, Format format);

}  // namespace easgd::stability
