"""A model in another form: today's configuration, Keras code, a YAML spec."""
