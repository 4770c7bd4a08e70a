// easgd stability: the paper's and the thesis's stability analysis as a tool.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/standard_output.h"
#include "commands/commands.h"
#include "evaluate/curvature.h"
#include "exchange/devices.h"
#include "settings/load.h"
#include "settings/worker_schedule.h"
#include "theory/additive_noise.h"
#include "theory/double_well.h"
#include "theory/multiplicative_noise.h"
#include "theory/round_robin.h"

namespace easgd {
namespace {

using Json = nlohmann::ordered_json;
using namespace theory;

constexpr double kRounding = 1e-12;

/// Finite, and from low to high.
CLI::Validator within(double low, double high) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value);
        if (number && value >= low && value <= high) return {};
        return fmt::format("expected a value in {}..{}, found {}", low, high, text);
      },
      fmt::format("{}..{}", low, high));
}

enum class Format { text, json, csv };

std::string cell(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// As a field of CSV.
std::string field(const Json& value) {
  const std::string text = cell(value);
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

/// An object: "key  value" lines, JSON, or a CSV of one row.
void print(const Json& object, Format format) {
  if (format == Format::json) return output("{}\n", object.dump());
  std::string head, row;
  for (const auto& [key, value] : object.items()) {
    if (format == Format::text) output("{:<36} {}\n", key, cell(value));
    head += (head.empty() ? "" : ",") + key;
    row += (row.empty() ? "" : ",") + field(value);
  }
  if (format == Format::csv) output("{}\n{}\n", head, row);
}

/// Rows of the same keys: a table, a JSON list, or CSV.
void print(const std::vector<Json>& rows, Format format) {
  if (format == Format::json) return output("{}\n", Json(rows).dump());
  bool first = true;
  for (const Json& row : rows) {
    std::string head, line;
    for (const auto& [key, value] : row.items()) {
      if (format == Format::csv) {
        head += (head.empty() ? "" : ",") + key;
        line += (line.empty() ? "" : ",") + field(value);
      } else {
        const std::size_t width = std::max<std::size_t>(24, key.size() + 2);
        head += fmt::format("{:>{}}", key, width);
        line += fmt::format(" {:>{}}", cell(value), width - 1);
      }
    }
    if (first) output("{}\n", head);
    output("{}\n", line);
    first = false;
  }
}

/// "0.1:10:100": from, to, count; no value is negative.
std::vector<double> range_of(const std::string& text, const char* option) {
  double low = 0, high = 0;
  int count = 0, used = 0;
  const int read = std::sscanf(text.c_str(), "%lf:%lf:%d%n", &low, &high, &count, &used);
  if (read != 3 || std::size_t(used) != text.size() || !(0 <= low && low <= high) || count < 1 ||
      count > 10000) {
    throw ConfigError(fmt::format(
        "{}: expected FROM:TO:COUNT of 0 or more, as in 0.1:10:100; found \"{}\"", option, text));
  }
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(count == 1 ? low : low + (high - low) * i / (count - 1));
  }
  return values;
}

/// What the subcommands share, filled by the command line.
struct Arguments {
  bool json = false, csv = false, optimum = false;
  std::string method = "easgd", config;
  RoundRobin scheme{4, 0.001, 2.5, 1};
  std::string learning_rates = "0.0001:0.01:100", rhos = "0.1:10:100";
  double start = 1000, alpha = 0, beta = 0.9, sigma = 1, lambda = 0.5, omega = 0.5, rho = 0.5;
  double curvature = 0;
  long activations = 300000, every = 1000;
  std::vector<long> steps = {1, 2, 10, 100, 1000};
  std::vector<std::string> overrides;

  Format format() const { return json ? Format::json : csv ? Format::csv : Format::text; }
};

double radius_of(const Arguments& a, const RoundRobin& scheme) {
  return a.method == "admm" ? admm_spectral_radius(scheme) : easgd_spectral_radius(scheme);
}

void point(const Arguments& a) {
  Json result = {{"method", a.method},
                 {"workers", a.scheme.workers},
                 {"learning_rate", a.scheme.learning_rate},
                 {"rho", a.scheme.rho},
                 {"alpha", a.scheme.alpha()},
                 {"curvature", a.scheme.curvature}};
  const double radius = radius_of(a, a.scheme);
  result["spectral_radius"] = radius;
  result["stable"] = radius <= 1 + kRounding;
  if (a.method == "easgd") {
    result["inside_proven_region"] = easgd_is_proven_stable(a.scheme);
  } else {
    result["inside_proven_region"] = Json();  // there is none
    result["single_map_stable"] = admm_single_map_is_stable(a.scheme);
  }
  print(result, a.format());
}

void map(const Arguments& a) {
  std::vector<Json> rows;
  for (const double eta : range_of(a.learning_rates, "--learning-rates")) {
    for (const double rho : range_of(a.rhos, "--rhos")) {
      const RoundRobin scheme{a.scheme.workers, eta, rho, a.scheme.curvature};
      rows.push_back(
          {{"learning_rate", eta}, {"rho", rho}, {"spectral_radius", radius_of(a, scheme)}});
    }
  }
  print(rows, a.format());
}

void trajectory(const Arguments& a) {
  const auto follow = a.method == "admm" ? admm_trajectory : easgd_trajectory;
  const Trajectory path = follow(a.scheme, a.start, a.activations, a.every);
  std::vector<Json> rows;
  for (std::size_t i = 0; i < path.center.size(); ++i) {
    rows.push_back({{"activation", path.activation[i]}, {"center", path.center[i]}});
  }
  print(rows, a.format());
}

void moments(const Arguments& a, bool alpha_given) {
  const double alpha = alpha_given ? a.alpha : a.beta / a.scheme.workers;
  const AdditiveNoise model{a.scheme.workers, a.scheme.learning_rate, alpha, a.scheme.curvature,
                            a.sigma};
  const bool stable = is_stable(model);
  const auto if_stable = [&](double value) { return stable ? Json(value) : Json(); };
  std::vector<Json> rows;
  for (const long t : a.steps) {
    const Moments m = center_moments(model, a.start, t);
    rows.push_back({{"step", t},
                    {"bias", m.bias},
                    {"variance", m.variance},
                    {"mean_squared_error", m.mean_squared_error()},
                    {"step_x_variance_of_average", averaged_variance(model, t)}});
  }
  const FastestRate best = fastest_moving_rate(model.learning_rate, model.beta(), model.curvature);
  const double limit =
      model.sigma * model.sigma / (model.workers * model.curvature * model.curvature);
  Json result = {
      {"alpha", alpha},
      {"beta", model.beta()},
      {"gamma", lemma_roots(model).gamma},
      {"phi", lemma_roots(model).phi},
      {"stable", stable},
      {"stationary_variance", if_stable(stationary_center_variance(model))},
      {"stationary_variance_of_workers_mean", if_stable(stationary_mean_variance(model))},
      {"many_workers_limit", if_stable(many_workers_limit(model.learning_rate, model.beta(),
                                                          model.curvature, model.sigma))},
      {"step_x_variance_limit_of_average", if_stable(limit)},
      {"fastest_alpha", best.alpha},
      {"fastest_rate", best.rate},
      {"fastest_factor_of_differences", 1 - model.learning_rate * model.curvature - best.alpha}};
  if (a.format() == Format::csv) return print(rows, a.format());
  if (a.format() == Format::json) {
    result["steps"] = rows;
    return print(result, a.format());
  }
  print(result, a.format());
  print(rows, a.format());
}

void multiplicative(const Arguments& a, bool alpha_given) {
  const double alpha = alpha_given ? a.alpha : a.beta / a.scheme.workers;
  MultiplicativeNoise model{a.scheme.workers, a.scheme.learning_rate, alpha, a.beta, a.lambda,
                            a.omega};
  if (a.optimum) model = fastest(model);
  Json result = {{"workers", model.workers},
                 {"learning_rate", model.learning_rate},
                 {"alpha", model.alpha},
                 {"beta", model.beta},
                 {"spectral_radius", moment_radius(model)},
                 {"minibatch_best_learning_rate", minibatch_best_rate(model)},
                 {"minibatch_best_radius", minibatch_best_radius(model)}};
  std::vector<Json> rows;
  SecondMoments state;
  state.fill(a.start * a.start);
  long t = 0;
  for (const long step : a.steps) {
    for (; t < step; ++t) state = next(model, state);
    rows.push_back({{"step", step},
                    {"center_center", state[0]},
                    {"center_worker", state[1]},
                    {"worker_worker", state[2]},
                    {"worker_other", state[3]}});
  }
  if (a.format() == Format::csv) return print(rows, a.format());
  if (a.format() == Format::json) result["steps"] = rows;
  print(result, a.format());
  if (a.format() == Format::text) print(rows, a.format());
}

void double_well(const Arguments& a) {
  const auto values = double_well_eigenvalues(a.rho);
  print(Json{{"rho", a.rho},
             {"smallest_eigenvalue", values[0]},
             {"middle_eigenvalue", values[1]},
             {"largest_eigenvalue", values[2]},
             {"trapped", values[0] > 0}},
        a.format());
}

struct KnownCurvature {
  double value = 0;
  std::string from = "given";
};

/// Of the loss at the start of a run, with its weight decay.
KnownCurvature measured_curvature(Config& config) {
  const Data data(config);
  const Network network =
      make_network(config, data.split.train->shape(), data.split.train->classes());
  check_batch("workers.batch", config.workers.batch, network);
  const Buffer state = initial_state(config, network);
  const Curvature found =
      measure_curvature(config, data, network, state.view().first(network.parameter_count()));
  return {found.largest + config.algorithm.weight_decay,
          fmt::format("measured at {} by {} power iterations{}",
                      config.network.init.empty() ? "the initial parameters" : config.network.init,
                      found.iterations, found.settled ? "" : " (not settled: a lower bound)")};
}

void check(const Arguments& a, Config& config, bool curvature_given) {
  const Algorithm& algorithm = Registry<Algorithm>::get(config.algorithm.name);
  if (!algorithm.elastic_region) {
    throw KeyError("algorithm.name",
                   "the region is of easgd and eamsgd; found " + config.algorithm.name);
  }
  const std::size_t workers = place_workers(config.workers, false).places.size();
  const ElasticRates rates = derive(config.algorithm, workers);
  Json result = {{"exchange", config::name_of(config.algorithm.exchange)},
                 {"workers", workers},
                 {"tau", config.algorithm.tau},
                 {"learning_rate", config.algorithm.learning_rate},
                 {"alpha", rates.alpha},
                 {"beta", rates.beta},
                 {"rho", rates.rho}};
  const KnownCurvature curvature =
      curvature_given ? KnownCurvature{a.curvature} : measured_curvature(config);
  // Where a schedule raises a rate, the highest counts.
  const double eta = config.algorithm.learning_rate * config.algorithm.schedule.largest();
  const double rise = config.algorithm.rho_schedule.largest();
  const double limit = (config.algorithm.exchange == Exchange::synchronous
                            ? synchronous_easgd_largest_eta_h(rise * rates.alpha, rise * rates.beta)
                            : easgd_largest_eta_h(rise * rates.alpha)) /
                       eta;
  result["curvature_is"] = curvature.from;
  result["curvature"] = curvature.value;
  result["largest_stable_curvature"] = limit;
  result["inside_region"] = 0 <= curvature.value && curvature.value <= limit && limit > 0;
  const bool applies = config.algorithm.tau == 1 && config.algorithm.name == "easgd";
  result["region"] = fmt::format("of easgd with tau = 1, proven for a quadratic{}",
                                 applies ? "" : "; with momentum or a longer tau nothing is");
  print(result, a.format());
}

void add_workers(CLI::App* command, Arguments& a, double most) {
  command->add_option("--workers", a.scheme.workers, "p")->check(within(1, most));
}

void add_learning_rate(CLI::App* command, Arguments& a, double least = 0) {
  command->add_option("--learning-rate", a.scheme.learning_rate, "eta")->check(within(least, 1e6));
}

CLI::Option* add_alpha(CLI::App* command, Arguments& a, double least) {
  return command->add_option("--alpha", a.alpha, "moving rate")
      ->check(within(least, 1e6))
      ->default_str("beta / workers");
}

void add_curvature(CLI::App* command, Arguments& a) {
  command->add_option("--curvature", a.scheme.curvature, "h of F = h x^2 / 2")
      ->check(within(1e-12, 1e12));
}

void add_rho(CLI::App* command, Arguments& a) {
  command->add_option("--rho", a.scheme.rho, "penalty; alpha = eta rho")->check(within(0, 1e9));
}

void add_start(CLI::App* command, Arguments& a, double start) {
  a.start = start;
  command->add_option("--start", a.start, "of all variables, but multipliers, which start at 0")
      ->check(within(-1e9, 1e9));
}

void add_steps(CLI::App* command, Arguments& a) {
  command->add_option("--steps", a.steps, "steps to tell")->check(within(1, 1e9));
}

void add_method(CLI::App* command, Arguments& a) {
  command->add_option("--method", a.method, "admm or easgd")
      ->check(CLI::IsMember({"admm", "easgd"}));
}

/// Where subcommands are declared.
struct Parent {
  CLI::App& app;
  ExitCode& result;

  /// One with arguments of its own, which calls run(arguments, command).
  template <class Run>
  std::pair<CLI::App*, Arguments&> add(const char* name, const char* meaning, Run run) const {
    const auto a = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand(name, meaning);
    auto* json = command->add_flag("--json", a->json, "for programs, with all digits");
    command->add_flag("--csv", a->csv, "the table alone, for tools/plot")->excludes(json);
    command->callback([run, a, command, &result = result] {
      std::ranges::sort(a->steps);
      run(*a, *command);
      result = ExitCode::done;
    });
    return {command, *a};
  }
};

void declare_point(const Parent& parent) {
  const auto [command, a] = parent.add("point", "spectral radius of one round-robin cycle",
                                       [](const Arguments& args, const CLI::App&) { point(args); });
  add_workers(command, a, 256);
  add_learning_rate(command, a);
  add_curvature(command, a);
  add_method(command, a);
  add_rho(command, a);
}

void declare_map(const Parent& parent) {
  const auto [command, a] =
      parent.add("map", "spectral radius over a grid of eta and rho (the paper's first figure)",
                 [](const Arguments& args, const CLI::App&) { map(args); });
  add_workers(command, a, 256);
  add_curvature(command, a);
  add_method(command, a);
  command->add_option("--learning-rates", a.learning_rates, "FROM:TO:COUNT");
  command->add_option("--rhos", a.rhos, "FROM:TO:COUNT");
}

void declare_trajectory(const Parent& parent) {
  const auto [command, a] =
      parent.add("trajectory", "the center after each activation, from a start far away",
                 [](const Arguments& args, const CLI::App&) { trajectory(args); });
  add_workers(command, a, 256);
  add_learning_rate(command, a);
  add_curvature(command, a);
  add_method(command, a);
  add_rho(command, a);
  add_start(command, a, 1000);
  command->add_option("--activations", a.activations, "how many")->check(within(1, 1e9));
  command->add_option("--every", a.every, "print every n-th")->check(within(1, 1e9));
}

void declare_moments(const Parent& parent) {
  const auto [command, a] = parent.add(
      "moments", "bias and variance of the synchronous center under additive noise",
      [](const Arguments& args, const CLI::App& c) { moments(args, c.count("--alpha") > 0); });
  add_workers(command, a, 1e9);
  add_learning_rate(command, a, 1e-12);
  add_curvature(command, a);
  auto* alpha = add_alpha(command, a, 1e-12);
  command->add_option("--beta", a.beta, "workers x alpha")
      ->check(within(1e-12, 1e6))
      ->excludes(alpha);
  command->add_option("--sigma", a.sigma, "standard deviation of the gradient noise")
      ->check(within(0, 1e9));
  add_start(command, a, 1);
  add_steps(command, a);
}

void declare_multiplicative(const Parent& parent) {
  const auto [command, a] =
      parent.add("multiplicative", "second moments under multiplicative (Gamma) noise",
                 [](const Arguments& args, const CLI::App& c) {
                   multiplicative(args, c.count("--alpha") > 0);
                 });
  add_workers(command, a, 1e9);
  add_learning_rate(command, a);
  add_alpha(command, a, -1e6);
  command->add_option("--beta", a.beta, "of the center")->check(within(-1e6, 1e6));
  command->add_option("--lambda", a.lambda, "shape of the Gamma distribution")
      ->check(within(1e-9, 1e9));
  command->add_option("--omega", a.omega, "its rate")->check(within(1e-9, 1e9));
  add_start(command, a, 1);
  add_steps(command, a);
  command->add_flag("--optimum", a.optimum, "look for the best eta, alpha and beta")
      ->excludes("--learning-rate")
      ->excludes("--alpha")
      ->excludes("--beta");
}

void declare_double_well(const Parent& parent) {
  const auto [command, a] =
      parent.add("double-well", "when EASGD is trapped between two minima",
                 [](const Arguments& args, const CLI::App&) { double_well(args); });
  command->add_option("--rho", a.rho, "penalty")->check(within(0, 0.9999999));
}

void declare_check(const Parent& parent) {
  const auto [command, a] = parent.add(
      "check", "a configuration against the region of proven stability",
      [](const Arguments& args, const CLI::App& c) {
        Config config = load_config(args.config, args.overrides);
        config::at_places(config.places, [&] { check(args, config, c.count("--curvature") > 0); });
      });
  command->add_option("config", a.config, "TOML file")->required();
  command->add_option("--curvature", a.curvature, "of the loss; else it is measured")
      ->check(within(0, 1e12));
  declare_overrides(*command, a.overrides);
}

}  // namespace

void declare_stability(CLI::App& app, ExitCode& result) {
  auto* stability = app.add_subcommand("stability", "the stability analysis of ADMM and EASGD");
  stability->require_subcommand(1);
  stability->option_defaults()->always_capture_default();
  const Parent parent{*stability, result};
  declare_point(parent);
  declare_map(parent);
  declare_trajectory(parent);
  declare_moments(parent);
  declare_multiplicative(parent);
  declare_double_well(parent);
  declare_check(parent);
}

}  // namespace easgd
