// Two workers in different wells of F(x) = (1 - x^2)^2 / 4, the center between them at the local
// maximum 0: x = +-sqrt(1 - rho). [Zhang 2016] section 5.3.
#pragma once

#include <array>

namespace easgd::theory {

/// Eigenvalues, ascending, of the Hessian of sum_i F(x_i) + (rho / 2)(x_i - c)^2 at that point, for
/// 0 <= rho < 1. The smallest is positive for rho < 2/3, where EASGD is trapped, and negative
/// above.
std::array<double, 3> double_well_eigenvalues(double rho);

}  // namespace easgd::theory
