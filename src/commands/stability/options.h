// The options that several subcommands of `easgd stability` have.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "theory/round_robin.h"

namespace easgd::stability {

/// What a scheme is if the command line says nothing.
constexpr theory::RoundRobin kUsualScheme{4, 0.001, 2.5, 1};

/// Larger ones make matrices whose eigenvalues take too long.
constexpr double kMostRoundRobinWorkers = 256;
/// The formulas of the synchronous methods hold for any number.
constexpr double kMostSynchronousWorkers = 1e9;

/// Finite, and from low to high.
CLI::Validator within(double low, double high);

void add_workers(CLI::App& command, int& workers, double most);
void add_learning_rate(CLI::App& command, double& learning_rate, double least = 0);
CLI::Option* add_alpha(CLI::App& command, double& alpha, double least);
void add_curvature(CLI::App& command, double& curvature);
void add_method(CLI::App& command, std::string& method);
void add_rho(CLI::App& command, double& rho);
void add_start(CLI::App& command, double& start);
void add_steps(CLI::App& command, std::vector<long>& steps);

/// Largest |eigenvalue| of a cycle of `method`, "admm" or "easgd".
double cycle_radius(const std::string& method, const theory::RoundRobin& scheme);

}  // namespace easgd::stability
