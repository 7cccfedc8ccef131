# A panel of sixty districts in brms; run from the root of the project.
library(brms)
# Debian has the headers of Boost outside of R.
if (system.file("include", package = "BH") == "") rstan::rstan_options(boost_lib = "/usr/include")

table <- read.csv("tests/reference/districts.csv")
standard <- function(x) (x - mean(x)) / sd(x)
lower <- (table$math_pass_pct - .5) / 100
upper <- (table$math_pass_pct + .5) / 100
data <- data.frame(
  district = factor(table$district), spending = standard(log(table$spending)),
  lunch = standard(table$lunch_pct), enrolment = standard(log(table$enrolment)),
  year = standard(table$year),
  censored = ifelse(lower <= 0, "left", ifelse(upper >= 1, "right", "interval")),
  share = ifelse(lower <= 0, upper, lower), upper = ifelse(upper >= 1, 1, upper)
)
formula <- bf(share | cens(censored, upper) ~
                0 + Intercept + spending + lunch + enrolment + year + (1 | district))
priors <- c(
  set_prior("normal(-1.5, 1)", class = "b", coef = "Intercept"),
  set_prior("normal(0, 0.5)", class = "b"), set_prior("normal(0, 1)", class = "sd"),
  set_prior("lognormal(log(10), 0.8)", class = "phi")
)
fit <- brm(formula, data = data, family = Beta(), prior = priors, chains = 1, iter = 2000,
           warmup = 500, seed = 1)
found <- rstan::summary(fit$fit)$summary
found <- found[grepl("^(b_|sd_|r_|phi)", rownames(found)), ]
write.csv(data.frame(
  name = rownames(found), mean = found[, "mean"], sd = found[, "sd"], ess = found[, "n_eff"]
), "tests/reference/panel_brms.csv", row.names = FALSE)
