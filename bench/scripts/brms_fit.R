# The same regressions as a user of brms would write them.
#
#   Rscript brms_fit.R LIKELIHOOD DATA OUT MODEL DRAWS TUNE CHAINS SEED CORES
#
# LIKELIHOOD is "density" (printed shares, moved off 0 and 1, as exact) or "interval" (a printed
# share stands for its rounding interval). MODEL is a file: if it is there, its compiled model is
# used again, otherwise the model is compiled and kept there. OUT gets the draws as CSV.
#
# A printed 0 with width 5 is the interval from 0 to 2.5 percent: for a Beta distribution that is
# the same as left-censored at 2.5, so that no bound has to be moved into (0, 1); likewise a
# printed 100 is right-censored at 97.5. The likelihood is then exactly that of the package,
# F(upper) - F(lower). "0 + Intercept" keeps brms from centring predictors, so that the prior of
# the intercept means the same.
suppressPackageStartupMessages(library(brms))
# Debian's package BH holds no headers; they are among those of the system.
if (system.file("include", package = "BH") == "") rstan::rstan_options(boost_lib = "/usr/include")
given <- commandArgs(trailingOnly = TRUE)
likelihood <- given[1]
draws <- as.integer(given[5]); tune <- as.integer(given[6])
chains <- as.integer(given[7]); seed <- as.integer(given[8]); cores <- as.integer(given[9])

firms <- merge(read.csv(file.path(given[2], "table1.csv")),
               read.csv(file.path(given[2], "table2.csv")), by = "company")
n <- nrow(firms)
printed <- firms$international_revenue_pct
table <- data.frame(
  relocatability = ifelse(firms$relocatability == "Ease", 0.5, -0.5),
  product = firms$product_line,
  expertise = sub("--.*", "", firms$expertise)
)
if (likelihood == "interval") {
  lower <- (printed - 2.5) / 100; upper <- (printed + 2.5) / 100
  table$censored <- ifelse(lower <= 0, "left", ifelse(upper >= 1, "right", "interval"))
  table$share <- ifelse(lower <= 0, upper, lower)
  table$upper <- ifelse(upper >= 1, 1, upper)
  formula <- bf(share | cens(censored, upper) ~
                  0 + Intercept + relocatability + (1 | product) + (1 | expertise))
} else {
  table$share <- (printed / 100 * (n - 1) + 0.5) / n
  formula <- bf(share ~ 0 + Intercept + relocatability + (1 | product) + (1 | expertise))
}
priors <- c(
  set_prior("normal(-1.5, 1)", class = "b", coef = "Intercept"),
  set_prior("normal(0, 0.5)", class = "b", coef = "relocatability"),
  set_prior("normal(0, 0.5)", class = "sd"),
  set_prior("lognormal(log(10), 0.8)", class = "phi")
)
kept <- given[4]
fit <- brm(
  formula, data = table, family = Beta(), prior = priors,
  fit = if (file.exists(kept)) readRDS(kept) else NA,
  chains = chains, iter = draws + tune, warmup = tune, seed = seed,
  cores = cores, control = list(adapt_delta = 0.95),
  refresh = 0, silent = 2
)
if (!file.exists(kept)) saveRDS(fit, kept)
found <- as.data.frame(as_draws_df(fit))
write.csv(found, given[3], row.names = FALSE)
times <- rstan::get_elapsed_time(fit$fit)
writeLines(format(sum(times) / min(chains, cores)), paste0(given[3], ".seconds"))
