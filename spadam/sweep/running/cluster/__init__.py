"""The crew on Ray: actors that stay warm, on whatever nodes its cluster has at the moment.

The agent is Ray's driver. A *node* is a machine of the cluster, a *share* is what one training has of it, a *member* is
an actor as the agent sees it, and a *parcel* is a folder on its way between the two.
"""
