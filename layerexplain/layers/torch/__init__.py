"""The modules of PyTorch (torch.nn), each as a formula, with PyTorch's names, arguments, defaults and layouts."""
