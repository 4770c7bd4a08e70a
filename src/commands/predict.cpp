#include "evaluate/predict.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/one_line.h"
#include "base/standard_output.h"
#include "base/terminal.h"
#include "base/usable_cores.h"
#include "base/utf8.h"
#include "commands/commands.h"
#include "commands/trained_file.h"
#include "pictures/given_pictures.h"
#include "pictures/picture_folder.h"
#include "runs/center_metadata.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Arguments {
  std::string path, config;
  std::vector<std::string> pictures, overrides;
  std::size_t top = 5;
  bool json = false;
};

struct Asked {
  std::vector<fs::path> pictures;
  std::vector<std::pair<std::string, std::string>> faults;  ///< of folders: their names, and what
};

/// Folders stand for the pictures below them.
Asked asked_of(const std::vector<std::string>& given) {
  Asked asked;
  for (const fs::path path : given) {
    std::error_code ignored;  // what is not there is a picture that cannot be opened
    if (!fs::is_directory(path, ignored)) {
      asked.pictures.push_back(path);
      continue;
    }
    try {
      std::ranges::move(pictures_below(path), std::back_inserter(asked.pictures));
    } catch (const DataError& error) {
      asked.faults.emplace_back(path.string(), error.what());
    }
  }
  return asked;
}

/// The likeliest classes first; of equal ones the lower.
std::vector<std::size_t> best_of(std::span<const double> probabilities, std::size_t count) {
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t k) { return probabilities[k]; });
  order.resize(std::min(count, order.size()));
  return order;
}

void print_json(const Json& line) {
  output("{}\n", line.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// Prints what the network says of each picture, and counts those of which it cannot say anything.
class Printer {
 public:
  Printer(const Arguments& a, const GivenPictures& pictures, std::vector<std::string> names)
      : arguments_(a), pictures_(pictures), names_(std::move(names)) {}

  void operator()(std::size_t index, std::span<const double> probabilities) {
    const std::string name = pictures_.image_name(index);
    if (!pictures_.why(index).empty()) return fail(name, pictures_.why(index));
    if (!std::isfinite(probabilities[0])) return fail(name, "the network's scores are not finite");
    const std::vector<std::size_t> best = best_of(probabilities, arguments_.top);
    if (arguments_.json) {
      Json predictions = Json::array();
      for (const std::size_t k : best) {
        Json& prediction = predictions.emplace_back(Json{{"class", k}});
        if (!names_.empty()) prediction["name"] = names_[k];
        prediction["probability"] = probabilities[k];
      }
      return print_json({{"picture", escaped_as_utf8(name)}, {"predictions", predictions}});
    }
    std::string line = in_one_line(name) + ": ";
    for (const std::size_t k : best)
      line +=
          fmt::format("{}{} {:.1f} %", k == best[0] ? "" : ", ", shown(k), 100 * probabilities[k]);
    output("{}\n", line);
  }

  std::size_t failed() const { return failed_; }

 private:
  std::string shown(std::size_t k) const {
    return names_.empty() ? fmt::format("class {}", k) : in_one_line(names_[k]);
  }

  void fail(const std::string& name, const std::string& why) {
    ++failed_;
    arguments_.json ? print_json({{"picture", escaped_as_utf8(name)}, {"error", why}})
                    : write_line(fmt::format("easgd: {}: {}", in_one_line(name), why));
  }

  const Arguments& arguments_;
  const GivenPictures& pictures_;
  std::vector<std::string> names_;
  std::size_t failed_ = 0;
};

void predict(const Arguments& a) {
  TrainedFile trained = open_trained(a.path, a.config, a.overrides);
  Config& config = trained.config;
  config.evaluate.threads = std::int64_t(usable_cores());  // nobody else is at work
  config::at_locations(config.locations, [&] {
    // Files of others do not say what their network was trained on.
    const std::optional<TrainedOn> carried = trained_on(trained.file.metadata, trained.path);
    const TrainedOn on = carried ? *carried : trained_on(Data(config));
    const Network network = make_network(config, on.shape, on.classes);
    Buffer state = host_buffer(network.state_count());
    safetensors::load(trained.file, trained.path, network, state);
    Asked asked = asked_of(a.pictures);
    const bool is_all = asked.pictures.empty() && asked.faults.size() == 1;
    if (is_all && !a.json) throw DataError(asked.faults[0].second);
    for (const auto& [name, what] : asked.faults)
      a.json ? print_json({{"folder", escaped_as_utf8(name)}, {"error", what}})
             : write_line("easgd: " + what);
    const GivenPictures pictures(std::move(asked.pictures), on.shape);
    Printer print(a, pictures, on.class_names);
    if (pictures.size() > 0)
      predict(config, network, state, pictures, on.normalisation, std::ref(print));
    const std::size_t failed = print.failed() + asked.faults.size();
    if (failed == 0) return;
    finish_output();
    throw DataError(fmt::format("nothing can be said of {} of {} pictures{}", failed,
                                pictures.size() + asked.faults.size(),
                                asked.faults.empty() ? "" : " and folders"));
  });
}

}  // namespace

void declare_predict(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("predict", "what a trained network says of pictures");
  command->add_option("path", a->path, "run folder or safetensors file")->required();
  command->add_option("pictures", a->pictures, "JPEG and PNG pictures, and folders of them")
      ->required();
  command->add_option("--top", a->top, "how many classes of each, the likeliest first")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_flag("--json", a->json, "an object of JSON a line");
  command->add_option("--config", a->config, "instead of the configuration the file carries");
  declare_overrides(*command, a->overrides);
  command->callback([a, &result] {
    predict(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd
