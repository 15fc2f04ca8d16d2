// The gallery: filters, order, and the view in 3D.
