# The default model of the Rochester study in JAGS; run from the root of the project.
library(rjags)
library(coda)

table1 <- read.csv("data/rochester/table1.csv")
table2 <- read.csv("data/rochester/table2.csv")
percent <- table1$international_revenue_pct
data <- list(
  N = 22, P = 3, E = 4,
  x = ifelse(table2$relocatability == "Ease", .5, -.5),
  p = as.integer(factor(table1$product_line)),
  e = as.integer(factor(sub("--.*", "", table2$expertise))),
  bin = round(percent / 5), cut = seq(2.5, 97.5, 5) / 100
)
start <- lapply(1:4, function(k) list(
  share = pmin(pmax(percent / 100, .01), .99),
  .RNG.name = "base::Mersenne-Twister", .RNG.seed = k
))
model <- jags.model("tests/reference/share.jags", data, start, n.chains = 4, n.adapt = 3000)
update(model, 5000)
names <- c("intercept", "relocatability", "product", "expertise", "sigma_product",
           "sigma_expertise", "phi", "mu")
draws <- coda.samples(model, names, n.iter = 100000, thin = 10)
values <- as.matrix(draws)
write.csv(data.frame(
  name = colnames(values), mean = colMeans(values), sd = apply(values, 2, sd),
  q05 = apply(values, 2, quantile, .05), q95 = apply(values, 2, quantile, .95),
  ess = effectiveSize(draws)[colnames(values)]
), "rochester_default.csv", row.names = FALSE)
