"""The 3D network as a file that others run: ONNX or TorchScript, checked against the network before it is kept."""
