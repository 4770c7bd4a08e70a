#include "theory/spectrum.h"

#include <Eigen/Eigenvalues>

namespace easgd::theory {

double spectral_radius(const Matrix& matrix) {
  return Eigen::EigenSolver<Matrix>(matrix, false).eigenvalues().cwiseAbs().maxCoeff();
}

}  // namespace easgd::theory
