#include "theory/double_well.h"

#include <Eigen/Eigenvalues>

namespace easgd::theory {

std::array<double, 3> double_well_eigenvalues(double rho) {
  const double curvature = 3 * (1 - rho) - 1;  // F'' at x^2 = 1 - rho
  Eigen::Matrix3d hessian;                     // (x_1, x_2, c)
  hessian << curvature + rho, 0, -rho, 0, curvature + rho, -rho, -rho, -rho, 2 * rho;
  const Eigen::Vector3d values =
      Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d>(hessian, Eigen::EigenvaluesOnly).eigenvalues();
  return {values[0], values[1], values[2]};
}

}  // namespace easgd::theory
