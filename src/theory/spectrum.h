// Eigenvalues of small dense matrices.
#pragma once

#include <Eigen/Dense>

namespace easgd::theory {

using Matrix = Eigen::MatrixXd;

/// Largest |eigenvalue| of a real square matrix, symmetric or not.
double spectral_radius(const Matrix& matrix);

}  // namespace easgd::theory
