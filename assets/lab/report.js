// drawn below
