"""People in photographs, to find their hands: OpenPose's body network, its maps read, its parts put together."""
