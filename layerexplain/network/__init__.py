"""Model → each call traced: binding, masks, order, faults."""
