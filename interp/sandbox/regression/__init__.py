"""Linear regression in context: one generator, predictors in closed form, and the small models that are compared."""
